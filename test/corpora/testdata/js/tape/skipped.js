const test = require('tape');

test.skip('skipped test', (t) => { t.fail(); t.end(); });
test('skipped by option', { skip: 'no printer' }, (t) => { t.fail(); t.end(); });
test('skipped assertions', (t) => { t.skip('one'); t.equal(1, 2, 'two', { skip: true }); t.ok(false, 'three', { skip: 'a reason' }); t.pass('four'); t.end(); });
test('todo', { todo: true }, (t) => { t.fail('later'); t.pass('already'); t.end(); });
test('todo assertions', (t) => { t.ok(false, 'one', { todo: 'soon' }); t.ok(true, 'two', { todo: true }); t.end(); });
