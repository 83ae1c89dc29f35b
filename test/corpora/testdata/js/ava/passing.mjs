import test from 'ava';

test('opens', (t) => t.pass());
test('adds up', async (t) => t.is(1 + 1, 2));
