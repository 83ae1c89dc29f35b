import test from 'node:test';

test('too slow', { timeout: 50 }, () => new Promise((resolve) => setTimeout(resolve, 5000)));
test('after', () => {});
test('never ends', () => new Promise(() => {}));
test('not reached', () => {});
