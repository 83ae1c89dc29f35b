const test = require('tape');

test('b', (t) => { t.pass('opens'); t.equal('b', 'b', 'is b'); t.end(); });
