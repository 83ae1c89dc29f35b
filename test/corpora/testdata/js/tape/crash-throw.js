const test = require('tape');

test('before', (t) => { t.pass(); t.end(); });
test('throws', () => { throw new Error('not caught'); });
test('after', (t) => { t.pass(); t.end(); });
