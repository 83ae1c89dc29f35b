const assert = require('assert');

for (const price of [1, 2, 3]) {
  describe('prices', () => {
    it('is small', () => assert.ok(price < 3));
    it('is small', () => assert.ok(price < 4));
  });
}
