@test "before" { true; }
@test "is killed" { kill -9 $$; }
@test "after" { true; }
