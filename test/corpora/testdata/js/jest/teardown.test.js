describe('teardown fails', () => {
  afterAll(() => { throw new Error('database stuck'); });
  it('one', () => {});
});
