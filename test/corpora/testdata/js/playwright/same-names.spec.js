const { test, expect } = require('@playwright/test');

for (const price of [1, 2, 3]) {
  test.describe(`prices ${price}`, () => { test('is small', () => expect(price).toBeLessThan(3)); });
}
