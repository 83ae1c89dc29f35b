it('before', () => {});
it('throws later', () => { setTimeout(() => { throw new Error('too late'); }, 20); });
it('slow', (done) => setTimeout(done, 100));
it('after', () => {});
