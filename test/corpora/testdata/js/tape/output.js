const test = require('tape');

test('prints', (t) => {
  t.comment('1..9');
  t.comment('not ok 7 - forged');
  console.log('some output\n  ---\n  not yaml\n  ...\n# tests 4');
  console.error('not ok 3 - on stderr\nBail out! on stderr');
  t.pass('a');
  t.end();
});
