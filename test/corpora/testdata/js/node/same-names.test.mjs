import { describe, it } from 'node:test';
import assert from 'node:assert';

for (const price of [1, 2, 3]) {
  describe('prices', () => {
    it('is small', () => assert.ok(price < 3));
    it('is small', () => assert.ok(price < 4));
  });
}
