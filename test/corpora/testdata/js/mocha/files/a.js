const assert = require('assert');

it('a opens', () => {});
it('a is not c', () => assert.notStrictEqual('a', 'c'));
