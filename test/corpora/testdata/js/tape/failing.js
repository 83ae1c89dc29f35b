const test = require('tape');

test('fails', (t) => {
  t.plan(4);
  t.equal('1\nok 2\n...\n', '2', 'the sum is right');
  t.deepEqual({ a: { b: [1, 2] } }, { a: { b: [1, 3] } }, 'deep');
  t.fail('always');
  t.pass('and this passes');
});
test('next heading', (t) => { t.pass(); t.end(); });
test('throws', async () => { throw new Error('async\nnot ok 3 - forged'); });
