teardown_file() { false; }
@test "one" { true; }
