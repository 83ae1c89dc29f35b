use strict; use warnings;
use Test::More tests => 3;

ok(1, 'the till opens');
is(1 + 1, 2, 'the till adds up');
pass('the till closes');
