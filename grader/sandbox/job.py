"""What the layers are told about the worker that they restrict."""

from __future__ import annotations

from dataclasses import dataclass

OUT_OF_THE_WAY = 500  # a descriptor that no worker's own takes the place of
SETUP_FAILED = 70  # exit code of a process that could not be put into its place


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What one worker may use in its whole life. (A plain file as stdout counts too: give workers a pipe.)"""

    memory: int  # bytes of address space
    seconds: int  # of processor time
    written: int = 16 << 20  # bytes per file
    open_files: int = 64
    threads: int = 64  # of this user; not enforced for root


@dataclass(frozen=True, slots=True)
class Job:
    """One worker."""

    ceilings: Ceilings
    slot: int  # which of the grader's session processes it works for: each has a user of its own

    @classmethod
    def empty(cls) -> Job:
        """For trying a layer out."""
        return cls(Ceilings(memory=1 << 40, seconds=3600), 0)
