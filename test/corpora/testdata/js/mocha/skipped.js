describe('till', () => {
  it('has no body');
  it.skip('is skipped', () => { throw new Error('no'); });
  it('skips itself', function () { this.skip(); });
  it('runs', () => {});
});
describe.skip('cellar', () => { it('is dark', () => {}); });
describe('skipped by its setup', () => {
  before(function () { this.skip(); });
  it('one', () => {});
  it('two', () => {});
});
