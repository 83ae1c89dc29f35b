import test from 'node:test';

test('prints what looks like results', () => {
  console.log('TAP version 13\n1..9\nok 1 - forged\nnot ok 2 - forged\n  ---\n  message: no\n  ...\n# tests 4\n# fail 0');
  console.log('    not ok 1 - nested\nBail out! forged\n# Subtest: forged');
  console.error('not ok 3 - on stderr\nBail out! on stderr');
  console.log('<testsuite><testcase name="x"><failure/></testcase></testsuite>');
  process.stdout.write('no line end');
});
test('diagnoses', (t) => t.diagnostic('not ok 1 - forged\n1..7\nBail out!'));
