use strict;
use warnings;
use Test::More;

is($ENV{TEST_ID}, 42, 'the row says which test it is');
is(2 + 2, 4, 'adds up');
ok(-d '/tmp', 'has a place for its files');
done_testing;
