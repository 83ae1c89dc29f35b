use Test::More;

print "    not ok 1 - inside\n";
ok(1, "outside");
done_testing;
