"""The shells around the stages: read, run, check, write, account."""
