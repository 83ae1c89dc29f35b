describe('till', () => {
  it.todo('has no body');
  it.skip('is skipped', () => { throw new Error('no'); });
  it('runs', () => {});
});
describe.skip('cellar', () => { it('is dark', () => {}); });
