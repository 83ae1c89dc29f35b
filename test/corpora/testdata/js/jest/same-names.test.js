describe.each([1, 2, 3])('prices', (price) => {
  it('is small', () => expect(price).toBeLessThan(3));
  it('is small', () => expect(price).toBeLessThan(4));
});
