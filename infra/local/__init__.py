"""What runs on one machine, for development and tests."""
