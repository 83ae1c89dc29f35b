const assert = require('assert');

describe('shop', () => {
  it('is open', () => {});
  describe('till', () => {
    it('opens', () => {});
    it('adds up', () => assert.strictEqual(1, 2));
    describe('drawer', () => { it.skip('jams', () => {}); it('has coins', () => {}); });
  });
  describe('nothing in it', () => {});
});
