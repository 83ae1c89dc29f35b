const assert = require('assert');

describe('till', function () {
  this.retries(2);
  let tries = 0;
  it('passes on its third try', () => assert.ok(++tries === 3, `try ${tries}`));
  it('never passes', () => assert.fail('no'));
});
