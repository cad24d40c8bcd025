"""A section's hints, released one by one: each says more than the one before, the last is nearly code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import workspace
from .course import Section
from .errors import WorkspaceError

RELEASED = Path(".nnkit", "hints")  # holds an empty file for every hint that was given


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints of a section that have been released, the newest last.

    Attributes:
        section: its number.
        texts: one for each.
        of: how many there are.
    """

    section: str
    texts: tuple[str, ...]
    of: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"section": self.section, "texts": list(self.texts), "of": self.of}


def release(section: Section, start: Path) -> Hints:
    """Release the next hint of a section whose file is at hand, and return it with those before it.

    Raises:
        WorkspaceError: the section was not fetched, or what has been released cannot be noted.
    """
    folder = workspace.home_of(workspace.find(section, start), section) / RELEASED
    notes = [folder / f"{section.name}.{number}" for number in range(1, len(section.hints) + 1)]
    seen = sum(note.exists() for note in notes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for note in notes[seen : seen + 1]:
            note.touch()
    except OSError as error:
        raise WorkspaceError(
            f"{folder} cannot be written ({error.strerror}), and the hints that you have seen are noted there. "
            f"Make room for it and run `nnkit hint {section.number}` again."
        ) from None
    return Hints(section.number, section.hints[: seen + 1], len(section.hints))
