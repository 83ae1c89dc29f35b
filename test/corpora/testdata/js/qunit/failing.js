QUnit.module('till', (hooks) => {
  QUnit.test('opens', (assert) => assert.ok(true));
  QUnit.test('adds up', (assert) => { assert.deepEqual({ a: [1, 2] }, { a: [1, 3] }, 'ok 1 - deep'); assert.equal('x\nnot ok 3\n...', 'y'); });
  QUnit.test('throws', () => { throw new Error('first\nnot ok 1 - forged\n1..7\nBail out! last'); });
  QUnit.test('without assertions', () => {});
  QUnit.test('too slow', (assert) => { assert.timeout(50); assert.async(); });
  QUnit.module('setup fails', { beforeEach() { throw new Error('no drawer'); } }, () => QUnit.test('one', (assert) => assert.ok(true)));
});
QUnit.module('setup of all fails', { before() { throw new Error('no database'); } }, () => {
  QUnit.test('one', (assert) => assert.ok(true));
  QUnit.test('two', (assert) => assert.ok(true));
});
