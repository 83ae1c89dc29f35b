import test from 'ava';

test.skip('is skipped', (t) => t.fail());
test.todo('some day');
test.failing('fails as expected', (t) => t.fail());
test('runs', (t) => t.pass());
