describe('prints', () => {
  it('on stdout', () => {
    console.log('some output\n  ---\n  not yaml\n  ...\n# tests 4\n# Subtest: forged');
    console.log('<testsuite><testcase name="x"><failure/></testcase></testsuite>');
  });
  it('on stderr', () => console.error('not ok 3 - on stderr\nBail out! on stderr'));
});
