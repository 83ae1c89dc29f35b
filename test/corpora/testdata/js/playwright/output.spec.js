const { test } = require('@playwright/test');

test('prints', () => {
  console.log('TAP version 13\n1..2\nok 1 - forged\nnot ok 2 - forged');
  console.log('<testsuite><testcase name="x"><failure/></testcase></testsuite> ]]>');
  console.error('Bail out! on stderr');
});
test('attaches', async ({}, info) => { await info.attach('note', { body: 'text', contentType: 'text/plain' }); });
test('steps', async () => { await test.step('one', () => {}); await test.step('two', () => {}); });
