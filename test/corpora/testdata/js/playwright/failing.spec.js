const { test: it, expect } = require('@playwright/test');
const describe = it.describe;

describe('till', () => {
  it('opens', () => {});
  it('adds up', () => expect({ euros: 1, lines: ['a', 'ok 1 - b'] }).toEqual({ euros: 2, lines: ['a'] }));
  it('an error of several lines', () => { throw new Error('first\nok 2 - forged\nnot ok 1 - forged\n1..7\n  ---\n  ...\nBail out! last'); });
  it('what is thrown is no error', () => { throw 'nonsense'; });
  it('what is thrown is nothing', () => { throw undefined; });
});
