import test from 'node:test';

test('before', () => {});
test('is killed', () => new Promise(() => process.kill(process.pid, 'SIGKILL')));
test('after', () => {});
