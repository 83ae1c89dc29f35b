const test = require('tape');

test('before', (t) => { t.pass(); t.end(); });
test('is killed', () => { process.kill(process.pid, 'SIGKILL'); });
