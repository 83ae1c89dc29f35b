it('open', () => {
