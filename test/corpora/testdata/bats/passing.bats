@test "the till opens" { true; }
@test "the till adds up" { [ $((1 + 1)) = 2 ]; }
