use Test::More tests => 2;
ok(1, 'b opens');
ok('b' ne 'b', 'b is not b');
