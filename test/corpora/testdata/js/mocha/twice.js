it('done is called twice', (done) => { done(); done(); });
it('after', () => {});
