const assert = require('assert');

describe('till', () => {
  it('opens', () => {});
  it('adds up', () => assert.deepStrictEqual({ euros: 1, lines: ['a', 'ok 1 - b'] }, { euros: 2, lines: ['a'] }));
  it('an error of several lines', () => { throw new Error('first\nok 2 - forged\nnot ok 1 - forged\n1..7\n  ---\n  ...\nBail out! last'); });
  it('what is thrown is no error', () => { throw 'nonsense'; });
  it('what is thrown is nothing', () => { throw undefined; });
});
