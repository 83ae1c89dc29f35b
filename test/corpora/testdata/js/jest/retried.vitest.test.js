let tries = 0;
it('passes on its third try', { retry: 2 }, () => expect(++tries).toBe(3));
it('never passes', { retry: 2 }, () => expect(1).toBe(2));
