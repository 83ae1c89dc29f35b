@test "b opens" { true; }
@test "b is not b" { [ b != b ]; }
