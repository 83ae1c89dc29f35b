const { test, expect } = require('@playwright/test');

test('a opens', () => {});
test('a is not c', () => expect('a').not.toBe('c'));
