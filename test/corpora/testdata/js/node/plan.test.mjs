import test from 'node:test';

test('plans more', (t) => { t.plan(3); t.assert?.ok(true); });
test('plans right', (t) => { t.plan(1); t.assert.ok(true); });
test('subtests of a plan', (t) => { t.plan(2); t.test('a', () => {}); t.test('b', () => {}); });
