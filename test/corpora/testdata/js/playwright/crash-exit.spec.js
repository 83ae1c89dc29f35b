const { test: it, expect } = require('@playwright/test');
const describe = it.describe;

it('before', () => {});
it('leaves', () => process.exit(0));
it('after', () => {});
