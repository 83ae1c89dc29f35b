@test "open" {
  if
}
