import test from 'ava';

test('opens', (t) => t.pass());
test('adds up', (t) => t.deepEqual({ euros: 1, lines: ['a', 'ok 1 - b'] }, { euros: 2, lines: ['a'] }));
test('throws', () => { throw new Error('first\nnot ok 1 - forged\n1..7\n  ...\nBail out! last'); });
test('without assertions', () => {});
