@test "prints" {
  echo "swallowed"; echo "# shown" >&3; echo "  ---" >&3; echo "not yaml" >&3; echo "Bail out! on stderr" >&2
}
@test "after" { true; }
