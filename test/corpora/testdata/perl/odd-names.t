use strict; use warnings; use utf8;
use Test::More;

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);
my @names = ('ends in {', '{', '}', 'answers in 5ms', 'time=5.2ms', '# time=3ms', 'grüßt Zoë ✓ 日本語', 'a # b', 'back\\slash',
    '# SKIP me not', '# TODO me not', 'skip', 'todo', '- dash', '1..3', 'not ok', 'Bail out!', '<a href="x">&amp;</a>', "two\nlines",
    "tab\there", ' spaces around ', "\e[31mred\e[39m", '---', '...', ']]>', 'a' x 600);
ok(1, $_) for @names;
ok(0, $_) for ('ends in { ', 'answers in 5ms', 'a # b', '---');
done_testing;
