@test "too slow" { BATS_TEST_TIMEOUT=1; timeout 1 sleep 20; }
@test "after" { true; }
