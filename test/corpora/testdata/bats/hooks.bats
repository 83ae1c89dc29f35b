setup() { [ "$BATS_TEST_NUMBER" != 2 ]; }
teardown() { [ "$BATS_TEST_NUMBER" != 3 ]; }
@test "one" { true; }
@test "two" { true; }
@test "three" { true; }
