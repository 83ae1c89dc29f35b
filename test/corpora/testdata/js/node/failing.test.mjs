import test from 'node:test';
import assert from 'node:assert';

test('the till opens', () => {});
test('the sum is right', () => assert.deepStrictEqual({ euros: 1, lines: ['a', 'ok 1 - b'] }, { euros: 2, lines: ['a'] }));
test('an error of several lines', () => { throw new Error('not ok 1 - first\n1..7\n  ...\nBail out! last'); });
test('what is thrown is no error', () => { throw 'nonsense'; });
test('what is thrown is nothing', () => { throw undefined; });
test('a promise is rejected', () => Promise.reject(new TypeError('no')));
