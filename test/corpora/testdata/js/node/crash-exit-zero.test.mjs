import test from 'node:test';

test('before', () => {});
test('leaves', () => process.exit(0));
test('after', () => {});
