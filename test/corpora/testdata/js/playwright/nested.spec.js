const { test: it, expect } = require('@playwright/test');
const describe = it.describe;

describe('shop', () => {
  it('is open', () => {});
  describe('till', () => {
    it('opens', () => {});
    it('adds up', () => expect(1).toBe(2));
    describe('drawer', () => { it.skip('jams', () => {}); it('has coins', () => {}); });
  });
});
