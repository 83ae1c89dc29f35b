const { test, expect } = require('@playwright/test');

test('b opens', () => {});
test('b is not c', () => expect('b').not.toBe('c'));
