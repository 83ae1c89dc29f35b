use Test::More tests => 2;
ok(1, 'c opens');
ok('c' ne 'b', 'c is not b');
