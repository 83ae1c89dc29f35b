use Test::More tests => 2;
ok(1, 'b opens');
ok(1, 'b is not b');
