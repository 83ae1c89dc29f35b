const test = require('tape');

for (const price of [1, 2, 3]) test('prices', (t) => { t.ok(price < 3, 'is small'); t.ok(true, 'is small'); t.end(); });
