"""What an answer tells beside its value: what was raised, and what happened inside the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import worker
from .errors import ProtocolError

TEXT_LIMIT = worker.TEXT_LIMIT


@dataclass(frozen=True, slots=True)
class Raised:
    """What the student's code raised: attached as `nnkit_raised` to the exception that a test sees."""

    type_name: str
    text: str
    frames: tuple[tuple[str, int, str, str], ...]  # file, line, function, text of the line; the student's own only

    @classmethod
    def of(cls, type_name: str, bases: list[Any], text: str, frames: list[Any]) -> Raised:
        """Read the record of an answer. Raises ProtocolError when it is not one."""
        if not all(type(base) is str for base in bases):
            raise ProtocolError("not an error")
        read = []
        for frame in frames[: worker.FRAMES_LIMIT]:
            match frame:
                case [str(file), int(line), str(function), str(code)]:
                    read.append((file[:200], line, function[:200], code[:200]))
                case _:
                    raise ProtocolError("not an error")
        return cls(type_name[:200], text[:TEXT_LIMIT], tuple(read))


@dataclass(frozen=True, slots=True)
class Observation:
    """What happened inside the process during the last call. Hostile code can forge it (docs/security.md)."""

    flags: frozenset[str] = frozenset()  # of "over", "under", "invalid", "divide"
    warnings: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # arguments changed in place
    shares_memory: tuple[str, ...] = ()  # arguments whose memory the result shares
    random_state_changed: bool = False
    default_dtype_changed: bool = False
    exception: str | None = None

    @classmethod
    def of(cls, record: list[Any] | None) -> Observation:
        """Read the record of an answer. Raises ProtocolError when it is not one."""
        if record is None:
            return cls()
        match record:
            case [
                list(flags),
                list(texts),
                list(changed),
                list(shared),
                bool(moved),
                bool(dtype),
                str() | None as name,
            ]:
                names = [*flags, *texts, *changed, *shared, name or ""]
                if all(type(entry) is str and len(entry) <= 2 * TEXT_LIMIT for entry in names):
                    return cls(frozenset(flags), tuple(texts), tuple(changed), tuple(shared), moved, dtype, name)
        raise ProtocolError("not an observation")

    def and_then(self, later: Observation) -> Observation:
        """What happened in this call or in a later one."""
        return Observation(
            self.flags | later.flags,
            self.warnings + later.warnings,
            tuple(dict.fromkeys(self.changed + later.changed)),
            tuple(dict.fromkeys(self.shares_memory + later.shares_memory)),
            self.random_state_changed or later.random_state_changed,
            self.default_dtype_changed or later.default_dtype_changed,
            later.exception or self.exception,
        )
