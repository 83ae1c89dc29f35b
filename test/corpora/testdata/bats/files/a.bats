@test "a opens" { true; }
@test "a is not b" { [ a != b ]; }
