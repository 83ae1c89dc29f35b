jest.retryTimes(2);
let tries = 0;
it('passes on its third try', () => expect(++tries).toBe(3));
