it('a opens', () => {});
it('a is not c', () => expect('a').not.toBe('c'));
