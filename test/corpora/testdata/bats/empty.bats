# No test.
