@test "before" { true; }
@test "leaves" { exit 0; }
@test "leaves with 3" { exit 3; }
@test "after" { true; }
