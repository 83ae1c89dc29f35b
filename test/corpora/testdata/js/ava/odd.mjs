import test from 'ava';

const names = ['ends in {', '{', '}', 'answers in 5ms', '# time=3ms', 'grüßt Zoë ✓ 日本語', 'a # b', 'back\\slash', '# SKIP me not', '# TODO me not', 'skip', '- dash', '1..3', 'not ok', '---', '...'];
for (const name of names) test(name, (t) => t.pass());
for (const name of ['ends in { ', 'answers in 5ms ', 'a # b ', '# SKIP me not ']) test(name + '!', (t) => t.fail(name));
