it('before', () => {});
it('leaves', () => process.exit(0));
it('after', () => {});
