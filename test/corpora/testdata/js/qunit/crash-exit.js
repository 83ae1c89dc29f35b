QUnit.test('before', (assert) => assert.ok(true));
QUnit.test('leaves', () => process.exit(0));
QUnit.test('after', (assert) => assert.ok(true));
