use strict; use warnings;
use Test::More;

ok(1, 'opens');
is("1\nok 2\n", 2, 'the sum is right');
is_deeply({ a => [ 1, 2 ] }, { a => [ 1, 3 ] }, 'deep');
fail;
done_testing;
