@test "c opens" { true; }
@test "c is not b" { [ c != b ]; }
