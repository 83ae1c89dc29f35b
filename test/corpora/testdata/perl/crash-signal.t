use Test::More tests => 3;
ok(1, 'before');
kill KILL => $$;
sleep 5;
