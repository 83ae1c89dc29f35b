const { test: it, expect } = require('@playwright/test');
const describe = it.describe;

describe('till', () => {
  it.fixme('has no body', () => {});
  it.skip('is skipped', () => { throw new Error('no'); });
  it('runs', () => {});
});
describe.skip('cellar', () => { it('is dark', () => {}); });
