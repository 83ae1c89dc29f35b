const { test, expect } = require('@playwright/test');

test('passes on its third try', ({}, info) => expect(info.retry).toBe(2));
test('passes', () => {});
