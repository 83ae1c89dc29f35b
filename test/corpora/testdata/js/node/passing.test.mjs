import test from 'node:test';
import assert from 'node:assert';

test('the till opens', () => {});
test('the till adds up', async () => assert.strictEqual(await Promise.resolve(2), 2));
test('the till closes', (t, done) => setImmediate(done));
