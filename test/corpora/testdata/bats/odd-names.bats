@test "ends in {" { true; }
@test "answers in 5ms" { true; }
@test "grüßt Zoë ✓ 日本語" { true; }
@test "a # b" { true; }
@test "back\slash" { true; }
@test "skip" { true; }
@test "not ok" { true; }
@test "1..3" { true; }
@test "Bail out" { true; }
@test "- dash" { true; }
@test "ends in { and fails {" { false; }
@test "fails in 5ms" { false; }
@test "2 numbers fail" { false; }
@test "a # b fails" { false; }
