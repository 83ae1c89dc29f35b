import test from 'ava';

test('prints', (t) => { console.log('some output\n  ---\n  ...\n# tests 4'); console.error('not ok 3\nBail out! on stderr'); t.log('not ok 7 - forged'); t.pass(); });
