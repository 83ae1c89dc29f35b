import { test } from 'zora';

test('till', async (t) => {
  t.ok(true, 'opens');
  await t.test('drawer', (t) => { t.eq(1, 1, 'has coins'); });
  t.skip('later');
});
