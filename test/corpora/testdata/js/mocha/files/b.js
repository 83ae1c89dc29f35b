const assert = require('assert');

it('b opens', () => {});
it('b is not c', () => assert.notStrictEqual('b', 'c'));
