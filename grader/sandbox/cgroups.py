"""Control groups: a ceiling on the memory that really is used, and on the number of processes, of each slot.

Limits count address space per process; only a control group counts what is in use by all together. Version 2 needs a
delegated group; version 1 needs root.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .job import OUT_OF_THE_WAY, Job

ROOT = Path("/sys/fs/cgroup")
PREFIX = "nnkit-"
PROCESSES = 128  # threads count too


class ControlGroups:
    """One group per slot, made when its first worker is."""

    name = "control_groups"

    def __init__(self) -> None:
        self._homes: list[tuple[Path, str]] = []  # folder of ours, controller
        self._owner = os.getpid()  # as others see it: not a number inside a namespace
        self._doors: dict[tuple[int, int], list[int]] = {}  # of a slot and a ceiling: what a process enters by

    def missing(self) -> str | None:
        """Make a group and take it away again."""
        self._homes = [(home, controller) for controller in ("memory", "pids") if (home := _home(controller))]
        if len(self._homes) < 2:
            return "no control group may be made here; only the limits on each worker bound its memory"
        for home, _controller in self._homes:
            _sweep(home)
        return None

    def prepare(self, job: Job) -> None:
        """Make the slot's groups, where they are not there yet; in the zygote, so that not every worker has to."""
        key = job.slot, job.ceilings.memory
        if key not in self._doors:
            self._forget(job.slot)
            self._doors[key] = [self._door(job, home, controller) for home, controller in self._homes]

    def apply(self, job: Job) -> None:
        """Put the calling process into the slot's groups."""
        self.prepare(job)
        try:
            self._enter(job)
        except OSError:  # somebody has removed them
            self._forget(job.slot)
            self.prepare(job)
            self._enter(job)

    def _enter(self, job: Job) -> None:
        for door in self._doors[job.slot, job.ceilings.memory]:
            os.write(door, b"0")

    def _door(self, job: Job, home: Path, controller: str) -> int:
        group = home / f"{PREFIX}{self._owner}-{job.slot}"
        group.mkdir(exist_ok=True)
        if controller == "memory":
            _write_first(group, ("memory.max", "memory.limit_in_bytes"), job.ceilings.memory)
            with contextlib.suppress(OSError):
                _write_first(group, ("memory.swap.max",), 0)
        else:
            _write_first(group, ("pids.max",), PROCESSES)
        low = os.open(group / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)
        finally:
            os.close(low)

    def _forget(self, slot: int) -> None:
        for key in [key for key in self._doors if key[0] == slot]:
            for door in self._doors.pop(key):
                os.close(door)

    def close(self) -> None:
        """Remove the groups; no process may be left in them."""
        for slot, _memory in list(self._doors):
            self._forget(slot)
        for home, _controller in self._homes:
            for group in home.glob(f"{PREFIX}{self._owner}-*"):
                with contextlib.suppress(OSError):
                    group.rmdir()


def _home(controller: str) -> Path | None:
    """The group we are in, for one controller, if a group can be made in it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if controller in names.split(","):
            home = ROOT / controller / path.lstrip("/")
        elif number == "0" and not names and (ROOT / "cgroup.controllers").exists():
            home = ROOT / path.lstrip("/")
            if controller not in (home / "cgroup.subtree_control").read_text().split():
                continue
        else:
            continue
        trial = home / f"{PREFIX}{os.getpid()}-trial"
        try:
            trial.mkdir()
            trial.rmdir()
        except OSError:
            continue
        return home
    return None


def _sweep(home: Path) -> None:
    """Remove groups of zygotes that are gone; a group with processes in it cannot be removed, and stays."""
    for group in home.glob(f"{PREFIX}*"):
        owner = group.name.removeprefix(PREFIX).partition("-")[0]
        if not owner.isdigit() or not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def _write_first(group: Path, names: tuple[str, ...], value: int) -> None:
    for name in names:
        if (group / name).exists():
            (group / name).write_text(str(value))
            return
    raise OSError(f"{group} has none of {', '.join(names)}")
