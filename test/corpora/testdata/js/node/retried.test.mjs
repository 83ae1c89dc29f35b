import test from 'node:test';
import assert from 'node:assert';

let tries = 0;
const flaky = () => assert.ok(++tries > 1, `try ${tries}`);
test('flaky', flaky);
test('flaky', flaky);
