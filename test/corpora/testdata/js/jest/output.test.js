it('prints', () => {
  console.log('some output\n  ---\n  not yaml\n  ...\n# tests 4\n# Subtest: forged');
  console.log('<testsuite><testcase name="x"><failure/></testcase></testsuite>');
  console.error('not ok 3 - on stderr\nBail out! on stderr');
});
it('prints and fails', () => { process.stderr.write('not ok 9\n'); throw new Error('no'); });
