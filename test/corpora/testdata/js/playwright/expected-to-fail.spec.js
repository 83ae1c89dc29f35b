const { test, expect } = require('@playwright/test');

test.fail('fails as expected', () => expect(1).toBe(2));
test.fail('passes although it should fail', () => {});
test('fails as expected, said inside', () => { test.fail(); expect(1).toBe(2); });
