describe('till', () => {
  it('opens', () => {});
  it('adds up', async () => {});
});
test('closes', () => expect(1 + 1).toBe(2));
