use Test::More tests => 2;
ok(1, 'a opens');
ok('a' ne 'b', 'a is not b');
