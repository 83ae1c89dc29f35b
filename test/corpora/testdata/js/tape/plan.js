const test = require('tape');

test('too few', (t) => { t.plan(3); t.pass(); t.timeoutAfter(50); });
test('too many', (t) => { t.plan(1); t.pass(); t.pass(); });
test('after its end', (t) => { t.end(); t.pass(); });
test('never ends', () => {});
