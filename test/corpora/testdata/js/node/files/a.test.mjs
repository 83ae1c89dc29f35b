import test from 'node:test';
import assert from 'node:assert';
import { price } from './helper.mjs';

test('a opens', () => {});
test('a adds up', () => assert.strictEqual(price, 'a' === 'c' ? 2 : 1));
test('a closes', () => {});
