import test from 'node:test';
import assert from 'node:assert';
import { price } from './helper.mjs';

test('b opens', () => {});
test('b adds up', () => assert.strictEqual(price, 'b' === 'z' ? 2 : 1));
test('b closes', () => {});
