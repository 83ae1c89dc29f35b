const test = require('tape');

test('not this', (t) => { t.fail(); t.end(); });
test.only('this', (t) => { t.pass(); t.end(); });
