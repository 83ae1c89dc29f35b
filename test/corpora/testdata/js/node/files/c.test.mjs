import test from 'node:test';
import assert from 'node:assert';
import { price } from './helper.mjs';

test('c opens', () => {});
test('c adds up', () => assert.strictEqual(price, 'c' === 'c' ? 2 : 1));
test('c closes', () => {});
