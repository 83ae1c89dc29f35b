const { test: it, expect } = require('@playwright/test');
const describe = it.describe;

describe('till', () => {
  it('opens', () => {});
  it('adds up', async () => {});
});
it('closes', () => expect(1 + 1).toBe(2));
