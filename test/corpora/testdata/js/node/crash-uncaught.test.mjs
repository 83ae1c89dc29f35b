import test from 'node:test';

test('before', () => {});
test('throws later', () => { setTimeout(() => { throw new Error('too late'); }, 20); });
test('rejects and nobody looks', () => { Promise.reject(new Error('unhandled')); });
test('slow', () => new Promise((resolve) => setTimeout(resolve, 500)));
