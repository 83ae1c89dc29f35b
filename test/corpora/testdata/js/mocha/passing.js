describe('till', () => {
  it('opens', () => {});
  it('adds up', async () => {});
  it('closes', (done) => setImmediate(done));
});
