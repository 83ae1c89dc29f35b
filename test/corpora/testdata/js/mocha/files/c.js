const assert = require('assert');

it('c opens', () => {});
it('c is not c', () => assert.notStrictEqual('c', 'c'));
