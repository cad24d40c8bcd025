"""What runs behind the `nnkit` command: checking, grading, validating."""
