describe('till', () => {
  it('has no body');
  xit('is skipped', () => fail('no'));
  it('gives up', () => pending('later'));
  it('runs', () => expect(1).toBe(1));
});
xdescribe('cellar', () => { it('is dark', () => {}); });
