it('c opens', () => {});
it('c is not c', () => expect('c').not.toBe('c'));
