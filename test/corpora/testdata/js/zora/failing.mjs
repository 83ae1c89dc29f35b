import { test } from 'zora';

test('till {', (t) => {
  t.ok(true, 'opens in 5ms');
  t.eq({ a: 'not ok 1' }, { a: 2 }, 'ends in {');
  t.test('drawer', (t) => { t.ok(false, 'a # b'); });
});
