use Test::More;
ok(1, 'before');
BAIL_OUT('no database');
