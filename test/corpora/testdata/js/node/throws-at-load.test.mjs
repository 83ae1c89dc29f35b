import test from 'node:test';

test('before', () => {});
throw new Error('the file cannot be loaded');
