use Test::More tests => 2;
ok(1, 'a opens');
ok(1, 'a is not b');
