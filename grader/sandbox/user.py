"""A user of the worker's own, where the grader runs as root: the files and processes of others are out of reach."""

from __future__ import annotations

import os

from . import _libc
from .job import Job

FIRST_USER = 60_000  # a user per slot, not one for all: limits on processes count per user, and slots must not meet


class OwnUser:
    """Another, unprivileged user and group, no further groups."""

    name = "own_user"

    def missing(self) -> str | None:
        """Only root may become somebody else."""
        if os.geteuid() != 0:
            return "the grader does not run as root, so the worker keeps its user"
        return _libc.tried(lambda: self.apply(Job.empty()))

    def apply(self, job: Job) -> None:
        """Become the slot's user, for good."""
        user = FIRST_USER + job.slot
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
