const { test, expect } = require('@playwright/test');

test('c opens', () => {});
test('c is not c', () => expect('c').not.toBe('c'));
