const test = require('tape');

const names = [
  'ends in {', '{', '}', 'answers in 5ms', 'time=5.2ms', '# time=3ms', 'grüßt Zoë ✓ 日本語', 'a # b', 'back\\slash', 'back\\#slash',
  '- dash', '1 number', '1..3', 'not ok', 'Bail out!', '<a href="x">&amp;</a>', 'two\nlines', 'tab\there', ' spaces around ',
  '\u001b[31mred\u001b[39m', 'null\u0000byte', '---', '...', ']]>', 'a'.repeat(600),
];
for (const name of names) test(name, (t) => { t.pass(name); t.end(); });
for (const name of ['ends in {', 'answers in 5ms', 'a # b', '---']) test(name, (t) => { t.fail(name); t.end(); });
