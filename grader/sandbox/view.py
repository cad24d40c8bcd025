"""What a process sees of the file system, changed for it and its children alone. Needs the right to mount."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from . import _libc
from .namespaces import MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_REC, mount

MS_BIND = 4096
MAY_BE_PASSED = 0o001


def leave() -> None:
    """Have a view of our own: what is mounted from now on, nobody else sees. Raises OSError when the kernel refuses."""
    _libc.unshare(_libc.NEW_NS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def open_way_to(paths: Iterable[str]) -> None:
    """Let every user reach these folders, also where they lie in a closed one, of which nothing else is seen then."""
    closed: dict[Path, list[Path]] = {}
    for path in sorted({Path(path).resolve() for path in paths}):
        for folder in reversed(path.parents):
            if not folder.stat().st_mode & MAY_BE_PASSED:
                closed.setdefault(folder, []).append(path)
                break
    for folder, needed in closed.items():
        cover(folder, needed)


def cover(folder: Path, needed: Iterable[Path] = ()) -> None:
    """Put an empty folder in the place of one, with nothing of what was there but what is needed."""
    kept = [(path, os.open(path, os.O_PATH)) for path in needed]
    mount("nnkit", str(folder), "tmpfs", MS_NOSUID | MS_NODEV)
    folder.chmod(0o755)
    for path, descriptor in kept:
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", str(path), None, MS_BIND | MS_REC)
        os.close(descriptor)


def bound(folder: str, size: int, files: int) -> None:
    """Give a folder a file system of its own in memory: so many bytes and files and no more, gone with the last process."""
    mount("nnkit", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},nr_inodes={files},mode=700")
