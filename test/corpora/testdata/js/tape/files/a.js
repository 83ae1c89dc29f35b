const test = require('tape');

test('a', (t) => { t.pass('opens'); t.equal('a', 'b', 'is b'); t.end(); });
