import test from 'node:test';
import assert from 'node:assert';

test('skipped by option', { skip: true }, () => assert.fail());
test('skipped with a reason', { skip: 'no # printer' }, () => assert.fail());
test('skipped while it runs', (t) => t.skip('later'));
test('todo that passes', { todo: true }, () => {});
test('todo that fails', { todo: 'some day' }, () => assert.fail('not yet'));
test('todo without a body', { todo: true });
test('todo while it runs', (t) => { t.todo('soon'); assert.fail('not yet'); });
test('runs', () => {});
