const { test } = require('@playwright/test');

test('too slow', async () => { test.setTimeout(100); await new Promise((resolve) => setTimeout(resolve, 5000)); });
test('after', () => {});
