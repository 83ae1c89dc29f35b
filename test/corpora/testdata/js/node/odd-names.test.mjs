import test, { describe, it } from 'node:test';
import assert from 'node:assert';

const names = [
  'ends in {', '{', '}', 'answers in 5ms', 'time=5.2ms', '# time=3ms', 'grüßt Zoë ✓ 日本語', 'a # b', 'back\\slash', 'back\\#slash',
  '# SKIP me not', '# TODO me not', 'skip', 'todo', '- dash', '1 number', '1..3', 'not ok', 'Bail out!', '<a href="x">&amp;</a>',
  'two\nlines', 'tab\there', ' spaces around ', '\u001b[31mred\u001b[39m', 'null\u0000byte', '---', '...', ']]>', 'a'.repeat(600),
];
for (const name of names) test(name, () => {});
for (const name of ['ends in {', 'answers in 5ms', 'a # b', '# SKIP me not', '# TODO me not'])
  test(name + (name.endsWith('{') ? '' : ' fails'), () => assert.fail(name));
describe('parent ends in {', () => { it('child }', () => {}); it('child in 7ms', () => {}); });
describe('parent # SKIP', () => { it('child # TODO', () => assert.fail('no')); });
