describe('shop', () => {
  it('is open', () => {});
  describe('till', () => {
    it('opens', () => {});
    it('adds up', () => expect(1).toBe(2));
    describe('drawer', () => { xit('jams', () => {}); it('has coins', () => {}); });
  });
});
