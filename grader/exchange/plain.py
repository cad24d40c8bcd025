"""Read a plain folder of submissions: one folder, one .zip or one .py file per student.

    submissions/ada/s13_relu/relu.py    submissions/grace.zip    submissions/alan_relu.py

Everything in it is hostile. No link is followed, nothing but a plain file is opened, nothing is unpacked to disk, every
size is bounded before memory is taken, and what is wrong with one submission stays with it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import sys
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ..errors import AskedWrongly

FILE_LIMIT = 1 << 20  # bytes of one .py file
TOTAL_LIMIT = 4 << 20  # bytes of all .py files of one submission
ENTRY_LIMIT = 2000  # files and folders of one submission
DEPTH_LIMIT = 8  # folders in folders
ARCHIVE_LIMIT = 64 << 20  # bytes of one .zip
INDEX_LIMIT = 2 << 20  # bytes that are read of a .zip at once: more than the list of 2000 entries needs

IGNORED = {"__MACOSX", "__pycache__"}  # and everything hidden
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
LIBRARIES = sys.stdlib_module_names | {"numpy", "torch", "pytest", "nnkit"}
SECTION_NAME = re.compile(r"s\d\d[a-z]?(?:_(\w*))?")

SectionFiles = dict[str, bytes]  # file name -> content: the section's slug.py, and the student's helpers beside it


class Section(Protocol):
    """What is needed of a section; see nnkit.grader.course."""

    @property
    def number(self) -> str:
        """Like "13" or "29k"."""

    @property
    def slug(self) -> str:
        """The name of the student's module: "relu"."""

    @property
    def name(self) -> str:
        """The name of the section's folder: "s13_relu"."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in. A section that is neither in `files` nor in `refused` was not handed in."""

    who: str  # unique in the folder, printable
    path: str  # the name of the entry (or entries) in the folder, printable
    files: dict[str, SectionFiles] = field(default_factory=dict)  # by the section's number
    refused: dict[str, str] = field(default_factory=dict)  # the section's number -> a sentence
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all names and bytes."""
        return _digest((number, self.digest_of(number)) for number in sorted(self.files.keys() | self.refused.keys()))

    def digest_of(self, number: str) -> str:
        """SHA-256 of the names and bytes of one section's files: another file does not change it."""
        if number in self.refused:
            return _digest([("refused", self.refused[number])])
        return _digest(sorted(self.files.get(number, {}).items()))


@dataclass(frozen=True, slots=True)
class Reading:
    """A folder of submissions, read: every entry is a submission or has a note. What computers leave behind has none."""

    submissions: tuple[Submission, ...]  # in the order of `who`
    notes: tuple[str, ...]


def read(
    folder: Path,
    sections: Sequence[Section],
    known: Collection[str] = (),
    used: Mapping[str, Sequence[Section]] = MappingProxyType({}),
) -> Reading:
    """Read a folder of submissions for some sections.

    In a student's folder or zip, a section's file is the shallowest s13_relu/relu.py, else the shallowest relu.py; the
    student's other .py files beside it come along. A .py file in the folder itself is called ada_relu.py or
    ada_s13_relu.py; where one section is asked for, also ada.py.

    Args:
        folder: the folder; read only.
        sections: the sections that are asked for.
        known: the slugs of all sections of the course, so that the file of another section is known as such.
        used: by a section's number, the sections whose files of the same submission come along with its own.

    Raises:
        AskedWrongly: there is no such folder, it cannot be read, or no entry of it is a submission.
    """
    reader = _Reader(sections, known, used)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in sorted(os.listdir(descriptor)):  # noqa: PTH208 - a descriptor has no path
                if not _is_ignored(name):
                    reader.take(name, descriptor)
        finally:
            os.close(descriptor)
    except NotADirectoryError:
        raise AskedWrongly(f"{_shown(str(folder))} is a file; name the folder that holds the submissions.") from None
    except OSError as error:
        raise AskedWrongly(
            f"{_shown(str(folder))} cannot be read ({error.strerror}); name the folder that holds the submissions."
        ) from None
    reading = reader.reading()
    if not reading.submissions:
        raise AskedWrongly(
            f"{_shown(str(folder))} holds no submission; expected one folder, one .zip or one .py file per student."
            + "".join(f" {note}" for note in reading.notes[:3])
        )
    return reading


# Entries of the folder


@dataclass(frozen=True, slots=True)
class _Found:
    """A .py file of a submission: its content, or why it has none."""

    parts: tuple[str, ...]  # folders and name, below the submission
    content: bytes = b""
    problem: str = ""  # completes "relu.py ..."

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def shown(self) -> str:
        return _shown("/".join(self.parts))


@dataclass(slots=True)
class _Tree:
    """What a folder or a zip holds, as far as it matters."""

    found: dict[tuple[str, ...], _Found] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    entries: int = 0
    size: int = 0

    def count(self, parts: Sequence[str]) -> None:
        """Count one more entry. Raises _Refused when there are too many, or when it lies too deep."""
        self.entries += 1
        if self.entries > ENTRY_LIMIT:
            raise _Refused(f"holds more than {ENTRY_LIMIT} files and folders; send only the .py files")
        if len(parts) - 1 > DEPTH_LIMIT:
            raise _Refused(f"holds folders more than {DEPTH_LIMIT} deep; send only the .py files")

    def add(self, parts: tuple[str, ...], content: bytes, problem: str) -> None:
        """Add a .py file. Raises _Refused when all of them together are too large."""
        self.size += len(content)
        if self.size > TOTAL_LIMIT:
            raise _Refused(f"holds more than {TOTAL_LIMIT >> 20} MiB of code; send only the files of the sections")
        found = _Found(parts, content, problem)
        if self.found.setdefault(parts, found) != found:  # only an archive can hold two files of one name
            self.found[parts] = _Found(parts, problem="is there twice, with different contents; send one of them")


class _Refused(Exception):
    """The whole submission cannot be read. Its text completes "ada.zip ..."."""


class _Reader:
    """Takes the entries of the folder one by one."""

    def __init__(
        self, sections: Sequence[Section], known: Collection[str], used: Mapping[str, Sequence[Section]]
    ) -> None:
        self.sections, self.used = sections, used
        self.slugs = {section.slug for section in sections} | set(known)
        self.notes: list[str] = []
        self.whole: list[Submission] = []  # folders and zips
        self.single: dict[str, dict[str, list[_Found]]] = {}  # who -> section's number -> files
        self.others: dict[str, list[str]] = {}  # slug that was not asked for -> files

    def take(self, name: str, folder: int) -> None:
        """Take one entry of the folder: a submission, a part of one, or a note."""
        try:
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except OSError as error:
            self.notes.append(f"{_shown(name)} cannot be read ({error.strerror}), and was left out.")
            return
        suffix = Path(name).suffix.lower()
        if suffix == ".py":
            self._take_file(name, folder)
        elif stat.S_ISDIR(mode) and self._is_sections(name):
            self.notes.append(f"{_shown(name)} is called like a section, not like a student, and was left out.")
        elif stat.S_ISDIR(mode):
            self._take_whole(name, name, folder)
        elif suffix == ".zip" or (stat.S_ISLNK(mode) and not suffix):
            self._take_whole(name, name[: len(name) - len(suffix)], folder)
        else:
            self.notes.append(f"{_shown(name)} is neither a folder nor a .zip nor a .py file, and was left out.")

    def _is_sections(self, name: str) -> bool:
        match = SECTION_NAME.fullmatch(name)  # a student may well be called s07
        return match is not None and match[1] in self.slugs

    def _take_file(self, name: str, folder: int) -> None:
        who, slug = self._parted(name[:-3])
        asked = {section.slug: section for section in self.sections}
        if slug is None and len(asked) == 1:
            slug = next(iter(asked))
        if slug is None:
            self.notes.append(f"{_shown(name)} does not say its section, as ada_relu.py would, and was left out.")
        elif who in ("", "test"):  # relu.py and test_relu.py: somebody's whole folder
            self.notes.append(f"{_shown(name)} does not say its student, as ada_{slug}.py would, and was left out.")
        elif slug not in asked:
            self.others.setdefault(slug, []).append(_shown(name))
        else:
            found = _Found((name,), *_read_file(name, folder))
            self.single.setdefault(who, {}).setdefault(asked[slug].number, []).append(found)

    def _parted(self, stem: str) -> tuple[str, str | None]:
        """Return ("ada", "relu") for "ada_relu" and "ada_s13_relu", and (stem, None) where no section is named."""
        names = {section.slug: section.name for section in self.sections}
        for slug in sorted(self.slugs, key=len, reverse=True):
            before = re.escape(names[slug].removesuffix(slug)) if slug in names else r"s\d\d[a-z]?_"
            if match := re.fullmatch(rf"(?:(.*?)_)??(?:{before})?{re.escape(slug)}", stem, re.DOTALL):
                return match[1] or "", slug
        return stem, None

    def _take_whole(self, name: str, who: str, folder: int) -> None:
        path = _shown(name)
        tree = _Tree()
        try:
            if _is_folder(name, folder):
                _read_folder(tree, name, folder, ())
            else:
                _read_zip(tree, name, folder)
        except (_Refused, OSError) as error:
            why = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else error
            sentence = f"{path} {why}."
            refused = {section.number: sentence for section in self.sections}
            self.whole.append(Submission(_shown(who), path, refused=refused))
            return
        files: dict[str, SectionFiles] = {}
        refused = {}
        for section in self.sections:
            chosen, problem = _main_file(tree.found.values(), section)
            if problem:
                refused[section.number] = f"{path}: {problem}."
            elif chosen is not None:
                files[section.number] = self._with_helpers(chosen, section, tree)
                for other in self.used.get(section.number, ()):
                    theirs, problem = _main_file(tree.found.values(), other)
                    if theirs is not None:
                        files[section.number][f"{other.slug}.py"] = theirs.content
                    elif problem:
                        tree.notes.append(f"{problem}, and was left out of section {section.number}")
            else:
                near = [each.shown for each in tree.found.values() if each.name.lower() == f"{section.slug}.py"]
                tree.notes += [f"{each} is not called {section.slug}.py, and was left out" for each in near]
        notes = tuple(f"{path}: {note}." for note in dict.fromkeys(tree.notes))
        self.whole.append(Submission(_shown(who), path, files, refused, notes))

    def _with_helpers(self, main: _Found, section: Section, tree: _Tree) -> SectionFiles:
        files = {f"{section.slug}.py": main.content}
        for each in tree.found.values():
            stem = each.name.removesuffix(".py")
            if each.parts[:-1] != main.parts[:-1] or not self._may_help(stem):
                continue
            if stem in LIBRARIES:
                tree.notes.append(f"{each.shown} has the name of a library, and was left out")
            elif each.problem:
                tree.notes.append(f"{each.shown} {each.problem}")
            else:
                files[each.name] = each.content
        return files

    def _may_help(self, stem: str) -> bool:
        ours = stem in self.slugs or stem.startswith(("test_", "__")) or SECTION_NAME.fullmatch(stem)
        return stem.isidentifier() and stem != "conftest" and not ours

    def reading(self) -> Reading:
        """Return what was taken."""
        for slug, names in sorted(self.others.items()):
            files = f"{names[0]} is" if len(names) == 1 else f"{len(names)} files ({names[0]}, ...) are"
            self.notes.append(f"{files} for section {slug}, which was not asked for.")
        singles = [self._of_files(who, by_section) for who, by_section in self.single.items()]
        return Reading(tuple(_apart([*self.whole, *singles])), tuple(self.notes))

    def _of_files(self, who: str, by_section: dict[str, list[_Found]]) -> Submission:
        names = [found.shown for each in by_section.values() for found in each]
        files: dict[str, SectionFiles] = {}
        refused: dict[str, str] = {}
        for section in self.sections:
            chosen, problem = _one_of(by_section.get(section.number, []))
            if problem:
                refused[section.number] = f"{problem}."
            elif chosen is not None:
                files[section.number] = {f"{section.slug}.py": chosen.content}
        return Submission(_shown(who), ", ".join(sorted(names)), files, refused)


def _main_file(found: Iterable[_Found], section: Section) -> tuple[_Found | None, str]:
    """Return the section's own file, or why there is none that can be taken, or neither."""
    mains = [each for each in found if each.name == f"{section.slug}.py"]
    in_place = [each for each in mains if each.parts[-2:-1] == (section.name,)]
    pool = in_place or mains
    depth = min((len(each.parts) for each in pool), default=0)
    return _one_of([each for each in pool if len(each.parts) == depth])


def _one_of(equals: list[_Found]) -> tuple[_Found | None, str]:
    """Return the one of equally good files; where they differ, a sentence instead (without its full stop)."""
    equals = sorted(equals, key=lambda each: each.parts)
    for each in equals:
        if each.problem:
            return None, f"{each.shown} {each.problem}"
    for each in equals[1:]:
        if each.content != equals[0].content:
            both = f"{equals[0].shown} and {each.shown}"
            return None, f"{both} are for the same section and have different contents; send one of them"
    return (equals[0] if equals else None), ""


def _apart(submissions: list[Submission]) -> list[Submission]:
    """Name submissions that may be of one student by their entries, and note it."""
    alike: dict[str, list[str]] = {}
    for each in submissions:
        alike.setdefault(_key(each.who), []).append(each.path)
    named: list[Submission] = []
    for each in submissions:
        others = [path for path in alike[_key(each.who)] if path != each.path]
        if others:
            note = f"{each.path} may be of the same student as {' and '.join(others)}; each is graded by itself."
            named.append(replace(each, who=each.path, notes=(*each.notes, note)))
        else:
            named.append(each)
    taken: set[str] = set()
    for position, each in enumerate(named):
        who, count = each.who, 1
        while who in taken:
            count += 1
            who = f"{each.who} ({count})"
        taken.add(who)
        named[position] = replace(each, who=who)
    return sorted(named, key=lambda each: each.who)


# Folders and files


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _read_folder(tree: _Tree, name: str, parent: int, above: tuple[str, ...]) -> None:
    """Read a folder and the folders in it, each opened by its name in the one above."""
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        inside = f"holds {_shown('/'.join(above))}, which" if above else ""
        raise _Refused(f"{inside} cannot be read ({error.strerror})".strip()) from None
    try:
        with os.scandir(folder) as listing:
            entries = list(islice(listing, ENTRY_LIMIT + 1))  # one too many is enough to know
        for entry in sorted(entries, key=lambda entry: entry.name):
            parts = (*above, entry.name)
            tree.count(parts)
            if _is_ignored(entry.name):
                continue
            if entry.name.endswith(".py"):
                tree.add(parts, *_read_file(entry.name, folder))
            elif entry.is_dir(follow_symlinks=False):
                _read_folder(tree, entry.name, folder, parts)
            else:
                _note_others(tree, parts, is_link=entry.is_symlink())
    finally:
        os.close(folder)


def _read_file(name: str, folder: int) -> tuple[bytes, str]:
    """Return the content of a file, or what is wrong with it. Nothing but a plain file is opened."""
    try:
        if problem := _not_plain(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return b"", problem
        # Whatever may have taken its place meanwhile: a link is not followed, and a pipe is not waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=folder), "rb") as file:  # noqa: PTH123 - a descriptor has no path
            status = os.fstat(file.fileno())
            if problem := _not_plain(status.st_mode):
                return b"", problem
            content = b"" if status.st_size > FILE_LIMIT else file.read(FILE_LIMIT + 1)
            size = max(status.st_size, len(content))
            return (b"", _too_large(size)) if size > FILE_LIMIT else (content, "")
    except OSError as error:
        return b"", IS_LINK if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"


IS_LINK = "is a link; send the file itself"


def _not_plain(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISLNK(mode):
        return IS_LINK
    return "is a folder, not a file" if stat.S_ISDIR(mode) else "is not a plain file; send an ordinary one"


def _too_large(size: int) -> str:
    return f"has {size:,} bytes; at most {FILE_LIMIT:,} are read. Send the code without data"


# Zips


class _Careful(io.BufferedReader):
    """A file that never hands out more at once than a list of 2000 entries can take, whatever the archive claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; raises BadZipFile where more is asked for and there."""
        if size is not None and 0 <= size <= INDEX_LIMIT:
            return super().read(size)
        content = super().read(INDEX_LIMIT + 1)
        if len(content) > INDEX_LIMIT:
            raise _Refused(f"holds more than {ENTRY_LIMIT} files and folders; send only the .py files")
        return content


def _read_zip(tree: _Tree, name: str, folder: int) -> None:
    """Read the .py files of a zip. Nothing is unpacked to disk, so names that lead elsewhere lead nowhere."""
    try:
        if problem := _not_plain(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise _Refused(problem)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with _Careful(io.FileIO(os.open(name, flags, dir_fd=folder))) as file:
            status = os.fstat(file.fileno())
            if problem := _not_plain(status.st_mode):
                raise _Refused(problem)
            if status.st_size > ARCHIVE_LIMIT:
                raise _Refused(f"has more than {ARCHIVE_LIMIT >> 20} MiB; send only the .py files")
            with zipfile.ZipFile(file) as archive:
                _read_entries(tree, archive)
    except _Refused:
        raise
    except OSError as error:
        why = IS_LINK if error.errno == errno.ELOOP else f"cannot be read ({error.strerror or 'it is damaged'})"
        raise _Refused(why) from None
    except Exception:  # noqa: BLE001 - zipfile raises whatever comes to its mind at bytes made to confuse it
        raise _Refused("is not a zip that can be read; zip the files again") from None


def _read_entries(tree: _Tree, archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        parts = tuple(part for part in info.filename.replace("\\", "/").split("/") if part not in ("", "."))
        tree.count(parts)
        if not parts or (any(map(_is_ignored, parts)) and ".." not in parts):
            continue
        if info.filename.startswith(("/", "\\")) or ".." in parts or parts[0].endswith(":"):
            tree.notes.append(f"{_shown(info.filename)} is a name that leads out of the archive, and was left out")
            continue
        for depth in range(1, len(parts)):  # a folder may be there only by what lies in it
            if parts[depth - 1].endswith(".py"):
                tree.add(parts[:depth], b"", _not_plain(stat.S_IFDIR))
        if parts[-1].endswith(".py"):
            tree.add(parts, *_read_entry(archive, info))
        elif not info.is_dir():
            _note_others(tree, parts, is_link=stat.S_ISLNK(info.external_attr >> 16))


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[bytes, str]:
    """Return the content of an entry, or what is wrong with it."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        return b"", _not_plain(stat.S_IFDIR)
    if kind and (problem := _not_plain(kind)):
        return b"", problem
    if info.flag_bits & 0x1:
        return b"", "is encrypted; zip it without a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others may ask for gigabytes of memory
        return b"", "is packed in an unusual way; use an ordinary zip"
    if info.file_size > FILE_LIMIT:
        return b"", _too_large(info.file_size)
    try:
        with archive.open(info) as file:
            content = file.read(FILE_LIMIT + 1)
    except Exception:  # noqa: BLE001 - see _read_zip
        return b"", "is damaged; zip it again"
    return (b"", _too_large(len(content))) if len(content) > FILE_LIMIT else (content, "")


# Words


def _note_others(tree: _Tree, parts: tuple[str, ...], *, is_link: bool) -> None:
    """Note what may be meant to hold code but is not looked into."""
    shown = _shown("/".join(parts))
    if is_link:
        tree.notes.append(f"{shown} {IS_LINK}")
    elif parts[-1].lower().endswith(ARCHIVES):
        tree.notes.append(f"{shown} is an archive within, and was not opened")
    elif parts[-1].lower().endswith((".py", ".ipynb")):
        tree.notes.append(f"{shown} is not a .py file, and was left out")


def _is_ignored(name: str) -> bool:
    return name in IGNORED or (name.startswith(".") and name != "..")


def _shown(name: str) -> str:
    """Return a name with everything escaped that is not printed as it is; different names stay different."""
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape", "surrogatepass").decode()
        for char in name
    )


def _key(who: str) -> str:
    return unicodedata.normalize("NFKC", who).casefold()


def _digest(items: Iterable[tuple[str, str | bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in items:
        for part in (
            name.encode("utf-8", "surrogatepass"),
            content if isinstance(content, bytes) else content.encode(),
        ):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
