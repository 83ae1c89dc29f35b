const { test: it, expect } = require('@playwright/test');
const describe = it.describe;

it('before', () => {});
throw new Error('the file cannot be loaded');
