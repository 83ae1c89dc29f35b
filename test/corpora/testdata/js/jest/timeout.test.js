it('too slow', () => new Promise((resolve) => setTimeout(resolve, 5000)), 50);
it('after', () => {});
