"""A student's own machine: the file that is tested is the one on disk, in this very process."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from . import course, imports, workspace
from .course import Section
from .errors import WorkspaceError
from .exchange.plain import LIBRARIES
from .kernels.look import Look
from .seeds import Seeds
from .student import Student
from .subject import Subject, no_diagnosis
from .transport import Files, LocalTransport, Transport

SOURCE_LIMIT = 1 << 20  # bytes of one file


def read_sources(file: Path) -> dict[str, bytes]:
    """Return a student's file and the helper files beside it, by name: those that come along with a submission too.

    A file with the name of a library is left out: it would take the library's place in this very process.

    Raises:
        WorkspaceError: the file is missing, is no file, or is too large.
    """
    others = {course.slug_of(folder.name) for folder in course.folders().values()} | LIBRARIES | {"conftest"}
    found = {file.name: _read(file)}
    for path in sorted(file.parent.glob("*.py")):
        may_help = path.stem.isidentifier() and path.stem not in others and not path.stem.startswith(("test_", "__"))
        if may_help and path.name != file.name and path.is_file():
            found[path.name] = _read(path)
    return found


def files_of(file: Path, section: Section) -> Files:
    """A student's file on disk as a submission of the section."""
    folder = str(file.parent.resolve())
    return Files(sources_of(file, section), section.slug, section.number, imports.allowed(section), folder)


def sources_of(file: Path, section: Section) -> dict[str, bytes]:
    """Return a student's file with what comes along: helpers beside it, and the student's files of the sections it uses.

    Raises:
        WorkspaceError: one of these sections' files is not there, or cannot be read.
    """
    used = course.used(section)
    found = workspace.find_all(used, file.parent)
    theirs = {f"{each.slug}.py": _read(path) for each, path in zip(used, found, strict=True)}
    return theirs | read_sources(file)


def subject_of(file: Path, section: Section, transport: Transport | None = None) -> Subject:
    """The code in a student's file as the subject of tests; in this process, where no other place is given.

    Raises:
        WorkspaceError: the file cannot be read, or the section needs a library that is not installed.
    """
    from .diagnosis import shipped_diagnosis

    if "torch" in section.libraries and find_spec("torch") is None:
        raise WorkspaceError(
            f"Section {section.number} needs PyTorch, which is not installed here: "
            f"`{shlex.quote(sys.executable)} -m pip install torch` brings it."
        )
    student = Student(transport or LocalTransport(), files_of(file, section), section.may_change)
    wrong = section.wrong_outputs
    diagnose = shipped_diagnosis(wrong) if wrong.is_file() else no_diagnosis
    return Subject(section.slug, student, Seeds(b""), kernel=Look(student), diagnose=diagnose)


def subject_beside(suite: Path) -> Subject:
    """For plain pytest: `test_relu.py` tests the `relu.py` beside it.

    Raises:
        WorkspaceError: the suite's name belongs to no section, or the file is not there.
    """
    slug = suite.stem.removeprefix("test_")
    if slug not in {course.slug_of(folder.name) for folder in course.folders().values()}:
        raise WorkspaceError(f"{workspace.shown(suite)} is the suite of no section: `nnkit list` shows them.")
    section = course.section(slug)
    file = suite.with_name(f"{slug}.py")
    if not file.exists():
        raise WorkspaceError(f"{file.name} is not beside {suite.name}: `nnkit fetch {section.number}` brings it.")
    return subject_of(file, section)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no plain file" if path.exists() else "missing"
            raise WorkspaceError(f"{workspace.shown(path)} is {what}; a Python file was expected.")
        size = path.stat().st_size
        if size > SOURCE_LIMIT:
            raise WorkspaceError(
                f"{workspace.shown(path)} has {size / 2**20:.0f} MiB; at most {SOURCE_LIMIT >> 20} MiB are read."
            )
        return path.read_bytes()
    except OSError as error:
        raise WorkspaceError(f"{workspace.shown(path)} cannot be read: {error.strerror}.") from None
