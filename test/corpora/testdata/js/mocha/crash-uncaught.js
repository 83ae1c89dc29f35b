it('before', () => {});
it('throws outside of its function', (done) => { setTimeout(() => { throw new Error('too late'); }, 1); });
it('after', () => {});
