import test from 'ava';

test.beforeEach((t) => { if (t.title.includes('two')) throw new Error('no drawer'); });
test('one', (t) => t.pass());
test('two', (t) => t.pass());
