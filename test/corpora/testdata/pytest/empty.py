"""No test."""
