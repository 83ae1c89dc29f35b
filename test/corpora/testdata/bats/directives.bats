@test "# SKIP me not" { true; }
@test "# TODO fails" { false; }
