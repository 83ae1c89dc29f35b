const names = ['ends in {', '{', '}', 'answers in 5ms', '# time=3ms', 'grüßt Zoë ✓ 日本語', 'a # b', 'back\\slash', '# SKIP me not', '# TODO me not', '- dash', '1..3', 'not ok', '---', '...', 'two\nlines'];
for (const name of names) QUnit.test(name, (assert) => assert.ok(true));
for (const name of ['ends in { ', 'answers in 5ms ', 'a # b ']) QUnit.test(name, (assert) => assert.ok(false));
QUnit.test.each('each', { 'ends in {': 1, two: 2 }, (assert, n) => assert.ok(n));
