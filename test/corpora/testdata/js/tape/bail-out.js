const test = require('tape');

test('before', (t) => { t.pass(); t.end(); });
test('gives up', (t) => { t.comment('Bail out! is only a comment'); console.log('Bail out! no database'); process.exit(1); });
