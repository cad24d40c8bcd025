"""The benchmark course is graded, never collected: its suites need a student."""

collect_ignore = ["course"]
