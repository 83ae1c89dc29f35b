@test "skipped" { skip; false; }
@test "skipped with a reason" { skip "no # printer"; false; }
@test "runs" { true; }
