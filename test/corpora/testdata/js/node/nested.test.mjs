import test, { describe, it } from 'node:test';
import assert from 'node:assert';

describe('shop', () => {
  describe('till', () => {
    it('opens', () => {});
    it('adds up', () => assert.strictEqual(1, 2));
  });
  describe('cellar', () => {
    it('is dark', () => {});
    it.skip('has stairs', () => {});
    it.todo('has a lamp', () => assert.fail('no lamp'));
  });
  describe.skip('attic', () => { it('is full', () => assert.fail()); });
  describe.todo('roof', () => { it('leaks', () => assert.fail('drip')); });
  describe('nothing in it', () => {});
});
test('parent', async (t) => {
  await t.test('child passes', () => {});
  await t.test('child has children', async (t) => {
    await t.test('grandchild', () => {});
    await t.test('grandchild fails', () => assert.fail('no'));
  });
});
test('parent fails by itself', async (t) => {
  await t.test('child passes', () => {});
  assert.fail('parent');
});
test('parent of todos', async (t) => {
  await t.test('child todo', { todo: true }, () => assert.fail('later'));
});
