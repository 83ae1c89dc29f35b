const { test } = require('@playwright/test');

test.describe('setup fails', () => {
  test.beforeAll(() => { throw new Error('no database'); });
  test('one', () => {});
  test('two', () => {});
});
test.describe('setup of each fails', () => {
  test.beforeEach(({}, info) => { if (info.title === 'two') throw new Error('no drawer'); });
  test('one', () => {});
  test('two', () => {});
});
test.describe('teardown of each fails', () => {
  test.afterEach(() => { throw new Error('drawer stuck'); });
  test('one', () => {});
});
test.describe('teardown fails', () => {
  test.afterAll(() => { throw new Error('database stuck'); });
  test('one', () => {});
});
test.describe.serial('one after the other', () => {
  test('fails', () => { throw new Error('no'); });
  test('does not run', () => {});
});
