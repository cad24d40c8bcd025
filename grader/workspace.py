"""The student's folder: files fetched into it, brought up to date, put back, found again.

Nothing that a student wrote is ever overwritten. What was fetched is remembered in `.nnkit/fetched.json`: a file is
replaced only while it still is, byte for byte (line ends aside), what nnkit once put there.
"""

import contextlib
import datetime as dt
import difflib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import course
from .course import Section
from .errors import CourseError, WorkspaceError

MEMORY = Path(".nnkit", "fetched.json")
BACKUP = Path(".nnkit", "backup")
State = Literal["not fetched", "untouched", "changed"]


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """What `fetch` did with one file."""

    path: Path
    did: Literal["new", "updated", "same", "kept", "beside"]
    beside: Path | None = None  # where the newer version lies, when the student's own file was kept
    diff: str = ""  # what is newer, as a unified diff; from the version fetched before where that is known

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"path": str(self.path), "did": self.did, "beside": self.beside and str(self.beside), "diff": self.diff}


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What `fetch` did for one section."""

    section: str
    folder: Path
    files: tuple[FetchedFile, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"section": self.section, "folder": str(self.folder), "files": [file.as_dict() for file in self.files]}

    def as_text(self) -> str:
        """Say in a line or two what was done, and show how a newer stub differs."""
        if all(file.did == "new" for file in self.files):
            return f"{shown(self.folder)}: fetched. Read README.md, write {self.files[1].path.name}, then `nnkit check {self.section}`."
        words = {"new": "fetched", "updated": "brought up to date", "kept": "kept as you have it"}
        lines = [f"{shown(file.path)}: {words[file.did]}." for file in self.files if file.did in words]
        for file in self.files:
            if file.beside:
                lines.append(
                    f"{shown(file.path)}: kept as you have it. A newer version lies beside it, in {file.beside.name}:"
                )
                lines += ["    " + line for line in file.diff.splitlines()]
        return "\n".join(lines) or f"{shown(self.folder)}: nothing is newer than what you have."


@dataclass(frozen=True, slots=True)
class ResetResult:
    """What `reset` did."""

    section: str
    path: Path
    backup: Path | None  # None: the file was the stub already

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"section": self.section, "path": str(self.path), "backup": self.backup and str(self.backup)}

    def as_text(self) -> str:
        """Say what was done, and where the work is now."""
        if self.backup is None:
            return f"{shown(self.path)} is the untouched stub already; nothing was done."
        return f"{shown(self.path)} is the stub again. Your work is kept in {shown(self.backup)}"


@dataclass(frozen=True, slots=True)
class Overview:
    """One line of `nnkit list`: a section and how far the student's file is."""

    section: Section
    state: State

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        section = self.section
        return {
            "section": section.number,
            "name": section.name,
            "title": section.title,
            "summary": section.summary,
            "difficulty": section.difficulty,
            "points": section.points,
            "libraries": list(section.libraries),
            "after": list(section.after),
            "state": self.state,
        }


def as_lines(results: Sequence[FetchResult | ResetResult]) -> str:
    """Say what each did."""
    return "\n".join(result.as_text() for result in results)


def as_table(lines: Sequence[Overview]) -> str:
    """Lay the course out as a table for a terminal."""
    head = ("", "section", "difficulty", "points", "needs", "your file")
    rows = [
        (
            line.section.number,
            line.section.title,
            "*" * line.section.difficulty,
            f"{line.section.points:g}",
            " ".join(line.section.libraries),
            line.state,
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    right = {0, 3}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    )


def fetch(sections: list[Section], to: Path) -> list[FetchResult]:
    """Copy lesson, stub and visible suite of each section into `to`/sNN_slug/, and bring older copies up to date.

    Raises:
        WorkspaceError: something could not be written; what was there before is still there.
    """
    to = to.absolute()
    with _one_sentence(f"nnkit fetch {sections[0].number if len(sections) == 1 else 'all'}"):
        to.mkdir(parents=True, exist_ok=True)
        memory = _Memory.of(to)
        try:
            return [_fetch(section, to, memory) for section in sections]
        finally:
            memory.save()


def reset(section: Section, start: Path) -> ResetResult:
    """Put the stub back in place of the student's file, once that is safe in `.nnkit/backup`.

    Raises:
        WorkspaceError: there is no such file, or something could not be written; nothing is lost.
    """
    path = find(section, start)
    folder = home_of(path, section)
    with _one_sentence(f"nnkit reset {section.number}"):
        stub, work = _shipped(section.stub), path.read_bytes()
        if _digest(work) == _digest(stub):
            return ResetResult(section.number, path, None)
        now = dt.datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
        backups = folder / BACKUP / section.name
        backups.mkdir(parents=True, exist_ok=True)
        backup = _create_numbered(backups / f"{now}_{section.stub.name}", work)
        _replace(path, stub, was=work)
        memory = _Memory.of(folder)
        memory.remember(section, section.stub.name, stub)
        memory.save()
        return ResetResult(section.number, path, backup)


def home(start: Path) -> Path:
    """Where `fetch` puts sections: here, or the folder above when we stand in a section's own folder."""
    return start.parent if course.FOLDER.fullmatch(start.name) else start


def home_of(path: Path, section: Section) -> Path:
    """The folder in which a section's file was put by `fetch`: above the section's own."""
    return path.parent.parent if path.parent.name == section.name else path.parent


def find(section: Section, start: Path) -> Path:
    """Return the student's file: here, in the section's folder here, in exercises/ here, or in a folder further up.

    Raises:
        WorkspaceError: there is none, or a folder stands in its place.
    """
    path = _found(section.name, section.slug, start)
    if path is None:
        raise WorkspaceError(
            f"There is no {section.name}/{section.slug}.py in {start} or above. `nnkit fetch {section.number}` puts it here."
        )
    if path.is_dir():
        raise WorkspaceError(
            f"{path} is a folder, but your file of section {section.number} should be there. "
            f"Rename it and run `nnkit fetch {section.number}`."
        )
    return path


def find_all(sections: Sequence[Section], start: Path) -> list[Path]:
    """Return the student's files of several sections, as `find` does.

    Raises:
        WorkspaceError: some are not there; names all of them, and the one command that brings them.
    """
    missing = [section for section in sections if _found(section.name, section.slug, start) is None]
    if len(missing) > 1:
        names = ", ".join(f"{section.name}/{section.slug}.py" for section in missing)
        numbers = " ".join(section.number for section in missing)
        raise WorkspaceError(f"There are no {names} in {start} or above. `nnkit fetch {numbers}` puts them here.")
    return [find(section, start) for section in sections]


def sections_here(start: Path) -> list[Section]:
    """Return the section in whose folder we stand, or else all whose files are found from here.

    Raises:
        WorkspaceError: there are none.
    """
    start = start.absolute()
    known = {folder.name: folder for folder in course.folders().values()}
    for above in (start, *start.parents):
        if above.name in known and _found(above.name, course.slug_of(above.name), start):
            return [course.read(known[above.name])]
    found = [course.read(folder) for name, folder in known.items() if _found(name, course.slug_of(name), start)]
    if not found:
        raise WorkspaceError(
            f"There is no section's file in {start} or above. `nnkit list` shows the sections, `nnkit fetch 13` puts section 13 here."
        )
    return found


def overview(start: Path) -> list[Overview]:
    """Return every section of the course and how far the student's file is, without running anything."""
    memories: dict[Path, _Memory] = {}
    return [Overview(section, _state(section, start, memories)) for section in course.sections()]


def state(section: Section, start: Path) -> State:
    """Say whether the student's file is there, and whether it is more than a stub that was fetched."""
    return _state(section, start, {})


def shown(path: Path) -> str:
    """A path as a person wants to read it: from here if it is in here, else in full."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _state(section: Section, start: Path, memories: dict[Path, "_Memory"]) -> State:
    path = _found(section.name, section.slug, start)
    if path is None:
        return "not fetched"
    try:
        digest = _digest(path.read_bytes())
    except OSError:
        return "changed"  # a folder, or not readable: whatever it is, it is not the stub
    if digest == _digest(_shipped(section.stub)):
        return "untouched"
    folder = home_of(path, section)
    if folder not in memories:
        memories[folder] = _Memory.read(folder)
    return "untouched" if memories[folder].digest(section, path.name) == digest else "changed"


def _found(name: str, slug: str, start: Path) -> Path | None:
    start, file = start.absolute(), f"{slug}.py"
    for above in (start, *start.parents):
        places = [above / name / file, above / "exercises" / name / file]
        if above == start or above.name == name:  # a stray relu.py far above is nobody's homework
            places.insert(0, above / file)
        for place in places:
            if os.path.lexists(place):
                return place
    return None


def _shipped(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise CourseError(
            f"{source} cannot be read ({error.strerror}). Every section has one; see docs/authoring.md."
        ) from None


def _fetch(section: Section, to: Path, memory: "_Memory") -> FetchResult:
    folder = to / section.name
    folder.mkdir(exist_ok=True)
    if folder.samefile(section.folder):
        raise WorkspaceError(
            f"{folder} is the course's own folder. Run `nnkit fetch` in a folder of your own, or name one with --to."
        )
    sources = (section.readme, section.stub, section.visible_suite)
    return FetchResult(
        section.number, folder, tuple(_fetch_file(source, folder, section, memory) for source in sources)
    )


def _fetch_file(source: Path, folder: Path, section: Section, memory: "_Memory") -> FetchedFile:
    shipped, target = _shipped(source), folder / source.name
    try:
        _create(target, shipped)
        file = FetchedFile(target, "new")
    except FileExistsError:
        file = _meet(target, shipped, memory.digest(section, target.name), memory.text(section, target.name))
    memory.remember(section, target.name, shipped)  # only now: what could not be written is offered again
    return file


def _meet(target: Path, shipped: bytes, fetched: str | None, fetched_text: str | None) -> FetchedFile:
    """Bring a shipped file to where there is one already; `fetched` is the digest of what nnkit put there, if it did."""
    here = target.read_bytes()
    if _digest(here) == _digest(shipped):
        return FetchedFile(target, "same")
    if _digest(here) == fetched:
        _replace(target, shipped, was=here)
        return FetchedFile(target, "updated")
    if fetched == _digest(shipped):
        return FetchedFile(target, "kept")
    beside = _create_numbered(target.with_name(f"{target.name}.new"), shipped)
    old, label = (
        (fetched_text, f"{target.name} as you fetched it") if fetched_text is not None else (_text(here), target.name)
    )
    diff = difflib.unified_diff(old.splitlines(), _text(shipped).splitlines(), label, beside.name, lineterm="")
    return FetchedFile(target, "beside", beside, "\n".join(diff))


class _Memory:
    """What nnkit put into a student's folder: a digest of each file, and the stubs' text for later diffs."""

    def __init__(self, path: Path, digests: dict[str, str], stubs: dict[str, str]) -> None:
        self.path = path
        self.digests = digests
        self.stubs = stubs
        self.changed = False

    @classmethod
    def read(cls, folder: Path) -> "_Memory":
        """Read it; where there is none, or none that can be read, nothing is known."""
        path = folder / MEMORY
        try:
            table = json.loads(path.read_bytes())
            digests, stubs = table["files"], table["stubs"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return cls(path, {}, {})
        whole = all(
            isinstance(part, dict) and all(isinstance(text, str) for text in part.values()) for part in (digests, stubs)
        )
        return cls(path, digests, stubs) if whole else cls(path, {}, {})

    @classmethod
    def of(cls, folder: Path) -> "_Memory":
        """Read it in order to write it; a damaged one is put aside."""
        memory = cls.read(folder)
        if not memory.digests and memory.path.exists():
            with contextlib.suppress(FileNotFoundError):
                memory.path.replace(memory.path.with_name(f"{MEMORY.name}.damaged"))
        return memory

    def digest(self, section: Section, file: str) -> str | None:
        return self.digests.get(f"{section.name}/{file}")

    def text(self, section: Section, file: str) -> str | None:
        return self.stubs.get(f"{section.name}/{file}")

    def remember(self, section: Section, file: str, content: bytes) -> None:
        key, digest = f"{section.name}/{file}", _digest(content)
        if self.digests.get(key) == digest:
            return
        self.changed = True
        self.digests[key] = digest
        if file == section.stub.name:
            self.stubs[key] = _text(content)

    def save(self) -> None:
        if not self.changed:
            return
        self.path.parent.mkdir(exist_ok=True)
        text = json.dumps({"version": 1, "files": self.digests, "stubs": self.stubs}, indent=1)
        with _temporary(self.path, text.encode()) as temporary:
            temporary.replace(self.path)
        self.changed = False


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _digest(content: bytes) -> str:
    """Digest of a file's content; an editor that changes only the line ends has changed nothing."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _create(path: Path, content: bytes) -> None:
    """Write a new file, whole or not at all. Raises FileExistsError, and touches nothing, if there is one."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with _temporary(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links
            _create_plainly(path, content)


def _create_plainly(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink()
            raise


def _create_numbered(path: Path, content: bytes) -> Path:
    """Write a new file under this name or, where others have it, this name and a number; return the name."""
    for name in (path, *(path.with_name(f"{path.name}.{number}") for number in range(2, 1000))):
        try:
            _create(name, content)
        except FileExistsError:
            if name.is_file() and name.read_bytes() == content:
                return name
        else:
            return name
    raise WorkspaceError(
        f"{path} and its numbered neighbours up to 999 are all taken. Remove those that you do not need."
    )


def _replace(path: Path, content: bytes, *, was: bytes) -> None:
    """Put new content in place of a file that was read just now, whole or not at all."""
    real = path.resolve()  # a link stays a link
    with _temporary(real, content) as temporary:
        shutil.copymode(real, temporary)
        if real.read_bytes() != was:
            raise WorkspaceError(
                f"{path} was changed while nnkit was at work, so it was left alone. Run the command again."
            )
        temporary.replace(real)


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[Path]:
    """A file with this content beside `path`, on the disk for good, removed afterwards unless it was moved."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error  # a person knows this name
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def _one_sentence(command: str) -> Iterator[None]:
    """Turn what the file system refuses into one sentence for a person."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space",
            errno.EACCES: "make it writable, or go to a folder of your own",
            errno.EPERM: "make it writable, or go to a folder of your own",
            errno.EROFS: "go to a folder that can be written to",
            errno.ENOTDIR: "rename the file that stands where a folder is needed",
            errno.EEXIST: "rename the file that stands where a folder is needed",
            errno.EISDIR: "rename the folder that stands where a file is needed",
        }.get(error.errno or 0, "put that right")
        raise WorkspaceError(
            f"{error.filename}: {error.strerror or error}. Nothing that you wrote was changed; {advice} and run `{command}` again."
        ) from error
