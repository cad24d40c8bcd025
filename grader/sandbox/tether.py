"""A worker does not outlive the process that made it."""

from __future__ import annotations

import signal

from . import _prctl
from .limits import Ceilings


class DiesWithParent:
    """The kernel kills the worker when its parent ends, however that ends."""

    name = "dies_with_parent"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _prctl.missing()

    def apply(self, _ceilings: Ceilings) -> None:
        """Tie the calling process to its parent."""
        _prctl.prctl(_prctl.SET_PDEATHSIG, signal.SIGKILL)
