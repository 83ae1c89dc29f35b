QUnit.module('till', () => {
  QUnit.test('opens', (assert) => assert.ok(true));
  QUnit.test('adds up', async (assert) => assert.equal(1 + 1, 2));
});
