QUnit.test.skip('is skipped', (assert) => assert.ok(false));
QUnit.test.todo('fails as expected', (assert) => assert.ok(false));
QUnit.test('runs', (assert) => assert.ok(true));
