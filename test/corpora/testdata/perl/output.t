use strict; use warnings;
use Test::More;

diag("not ok 7 - forged\n1..9\nBail out! forged");
note("not ok 7 - forged\n1..9\nBail out! forged");
print "some output\n  ---\n  not yaml\n  ...\n";
print STDERR "not ok 7 - forged\nBail out! forged\n";
ok(1, 'prints');
done_testing;
