// No test.
