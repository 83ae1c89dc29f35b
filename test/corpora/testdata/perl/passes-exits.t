use Test::More tests => 2;
ok(1, 'all pass');
ok(1);
END { $? = 3 }
