"""Isolation of a worker, one layer per module, applied in a fixed order after the fork and before any student code.

A layer has a `name`, `missing()` (try it for real in a throw-away process; why it does not work here, or None) and
`apply(job)` (restrict the calling process for good, or raise OSError). It never applies half of itself, and none can
be undone from inside. To add one, write its module and put it where it belongs in `ORDER`: later layers may forbid what
earlier ones need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, get_args

from .cgroups import ControlGroups
from .job import SETUP_FAILED, Ceilings, Job
from .landlock import Landlock
from .limits import Limits
from .namespaces import Namespaces
from .privileges import NoCapabilities, NoNewPrivileges, NotDumpable
from .syscalls import SystemCalls
from .tether import DiesWithParent
from .user import OwnUser

__all__ = ["LEVELS", "ORDER", "SETUP_FAILED", "Ceilings", "Jail", "Job", "Layer", "Level"]

Level = Literal["strict", "best", "none"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Layer(Protocol):
    """One restriction of the calling process."""

    name: str

    def missing(self) -> str | None:
        """Return why this layer does not work on this machine, or None when it does. Tried for real, elsewhere."""

    def apply(self, job: Job) -> None:
        """Restrict the calling process, for good. Raises OSError if the kernel refuses; the worker then exits."""


# What needs files comes first, what needs root next; the system calls come last, because they refuse all the others.
ORDER: tuple[type[Layer], ...] = (
    ControlGroups, Namespaces, Limits, OwnUser, NoCapabilities, NoNewPrivileges, Landlock, DiesWithParent, NotDumpable,
    SystemCalls,
)  # fmt: skip
WITHOUT_ISOLATION = ("limits", "no_new_privileges", "dies_with_parent", "not_dumpable")
CORE = "system_calls"
HIDES_FILES = (CORE, "namespaces", "landlock")


class Jail:
    """The layers of one zygote's workers.

    Args:
        level: `strict` demands the core layer; `best` is content with another one that hides files; `none` isolates
            nothing. All take whatever else works.
        without: names of layers to leave out, and "refusal" to run code all the same: for tests that show what each
            layer is for.
    """

    def __init__(self, level: Level, without: tuple[str, ...] = ()) -> None:
        self.level = level
        self._refuses = "refusal" not in without
        self.layers: list[Layer] = []
        self.missing: dict[str, str] = {}
        for make in ORDER:
            layer = make()
            if layer.name in without or (level == "none" and layer.name not in WITHOUT_ISOLATION):
                continue
            why = layer.missing()
            if why is None:
                self.layers.append(layer)
            else:
                self.missing[layer.name] = why

    @property
    def names(self) -> list[str]:
        """The layers that work here, in the order in which they are applied."""
        return [layer.name for layer in self.layers]

    @property
    def refusal(self) -> str | None:
        """Why no untrusted code may run here at this level, or None."""
        if not self._refuses:
            return None
        if self.level == "strict" and CORE not in self.names:
            return (
                f"its core layer, the list of system calls, does not work here ({self.missing.get(CORE, 'left out')})"
            )
        if self.level == "best" and not set(HIDES_FILES) & set(self.names):
            return "no layer that hides files works here"
        return None

    @property
    def namespaces(self) -> Namespaces | None:
        """The layer that has to be entered before anything else, if it works here."""
        return next((layer for layer in self.layers if isinstance(layer, Namespaces)), None)

    def prepare(self, job: Job) -> None:
        """Do what need not be done by every worker; before the fork. Raises OSError if a layer fails."""
        for layer in self.layers:
            if isinstance(layer, ControlGroups):
                layer.prepare(job)

    def apply(self, job: Job, last: Callable[[], None]) -> None:
        """Restrict the calling process. Raises OSError if a layer fails; nothing of the student's may run then.

        Args:
            job: the worker.
            last: what still has to be done when all layers but the core stand: descriptors that they needed are closed.
        """
        for layer in self.layers:
            if layer.name == CORE:
                last()
            layer.apply(job)
        if CORE not in self.names:
            last()

    def close(self) -> None:
        """Remove what the layers have made on this machine."""
        for layer in self.layers:
            if isinstance(layer, ControlGroups):
                layer.close()
