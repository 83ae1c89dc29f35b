const test = require('tape');

test('shop', (t) => {
  t.test('till', (t) => { t.pass('opens'); t.test('drawer', (t) => { t.fail('stuck'); t.end(); }); t.end(); });
  t.test('cellar', { skip: true }, (t) => { t.fail(); t.end(); });
  t.test('attic', (t) => { t.plan(1); t.pass('full'); });
});
