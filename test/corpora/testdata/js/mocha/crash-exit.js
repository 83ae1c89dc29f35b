it('before', () => {});
it('leaves', () => process.exit(3));
it('after', () => {});
