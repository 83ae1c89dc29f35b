import test from 'node:test';
import assert from 'node:assert';
import { price } from './helper.mjs';

test('d opens', () => {});
test('d adds up', () => assert.strictEqual(price, 'd' === 'z' ? 2 : 1));
test('d closes', () => {});
