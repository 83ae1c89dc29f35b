it('too slow', function (done) { this.timeout(50); setTimeout(done, 5000); });
it('after', () => {});
