import test from 'node:test';
test('open', () => {
