let tries = 0;
it('passes on its third try', { retry: 2 }, () => expect(++tries).toBe(3));
