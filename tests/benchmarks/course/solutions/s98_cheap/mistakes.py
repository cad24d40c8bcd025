"""No mistakes are catalogued for the benchmark."""
