it('b opens', () => {});
it('b is not c', () => expect('b').not.toBe('c'));
