use Test::More tests => 2;
ok(1, 'c opens');
ok(1, 'c is not b');
