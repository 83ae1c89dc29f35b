const test = require('tape');

test('c', (t) => { t.pass('opens'); t.equal('c', 'b', 'is b'); t.end(); });
