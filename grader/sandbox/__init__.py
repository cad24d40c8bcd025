"""Isolation of a worker, one layer per module, applied in a fixed order after the fork and before any student code.

A layer is an object with `name`, `missing()` (why it cannot work on this machine, or None) and `apply(job)` (restrict
the calling process for good, or raise OSError). It never applies half of itself. To add one, write its module and put
it where it belongs in `LAYERS`: later layers may forbid what earlier ones need.
"""

from __future__ import annotations

from typing import Protocol

from .limits import Ceilings, Limits
from .privileges import NoNewPrivileges, NotDumpable
from .tether import DiesWithParent

__all__ = ["LAYERS", "Ceilings", "Layer", "apply_all", "missing"]


class Layer(Protocol):
    """One restriction of the calling process."""

    name: str

    def missing(self) -> str | None:
        """Return why this layer cannot work on this machine, or None when it can."""

    def apply(self, ceilings: Ceilings) -> None:
        """Restrict the calling process, for good. Raises OSError if the kernel refuses; the worker then exits."""


LAYERS: tuple[Layer, ...] = (Limits(), NoNewPrivileges(), DiesWithParent(), NotDumpable())


def apply_all(ceilings: Ceilings) -> list[str]:
    """Apply every layer that works here, in order, and return their names."""
    applied = []
    for layer in LAYERS:
        if layer.missing() is None:
            layer.apply(ceilings)
            applied.append(layer.name)
    return applied


def missing() -> dict[str, str]:
    """Return the layers that cannot work here, each with the reason."""
    return {layer.name: why for layer in LAYERS if (why := layer.missing()) is not None}
