"""The handwritten digits of MNIST: where they lie on this machine, whether they are whole, and what is in them.

The full set is brought by `nnkit fetch-data mnist`; a real subset of it comes with the course. Every file is known by
its size and its sha256, so nothing that is read here was made by anybody else.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from . import course
from .errors import NoData

if TYPE_CHECKING:
    import numpy as np

    Images = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
    Labels = np.ndarray[tuple[int], np.dtype[np.uint8]]

VARIABLE = "NNKIT_DATA"
SLACK = 10_000  # bytes by which a .gz may be longer than what it holds


@dataclass(frozen=True, slots=True)
class Part:
    """One of the four files as published: uncompressed, and as the .gz that the mirrors have."""

    name: str
    size: int  # bytes
    sha256: str
    packed_size: int = 0  # of the published .gz; 0 where there is none
    packed_sha256: str = ""


FULL = (
    Part(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    Part(
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    Part(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    Part(
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
SUBSET = (
    Part("train-images-idx3-ubyte", 7_840_016, "2889698e6bc3614913e76901316712919d1998fc2b44512451bfe65bc1e668b1"),
    Part("train-labels-idx1-ubyte", 10_008, "651e38e2ac0632f5113ec18f1df4977117f953197819034009971a6675a0df78"),
    Part("t10k-images-idx3-ubyte", 1_568_016, "544b11e980491b35ea0a29d267be603798a522d267bd875eefdf185f2a90b4ed"),
    Part("t10k-labels-idx1-ubyte", 2_008, "00c8ee896b56b1f141feedeefecd0ec606a7715b411eb44be7e1b1decd17e3fd"),
)


@dataclass(frozen=True, slots=True)
class Digits:
    """Training and test images with their labels.

    Attributes:
        full: whether these are all 70,000, or the subset.
        place: the folder they were read from.
        files: the four files, uncompressed, in the order of `FULL`.
    """

    full: bool
    place: Path
    files: tuple[bytes, bytes, bytes, bytes]

    @property
    def train(self) -> tuple[Images, Labels]:
        """Training images (N, 28, 28) and labels (N,), uint8, read-only."""
        return read_idx(self.files[0]), read_idx(self.files[1])

    @property
    def test(self) -> tuple[Images, Labels]:
        """Test images (N, 28, 28) and labels (N,), uint8, read-only."""
        return read_idx(self.files[2]), read_idx(self.files[3])

    @property
    def described(self) -> str:
        """Which set it is and how large, without the place: that is nobody's business but the machine's owner's."""
        images, tests = len(self.files[1]) - 8, len(self.files[3]) - 8
        what = "the full set" if self.full else "the subset that comes with the course"
        return f"{what} ({images:,} training and {tests:,} test images)"

    def __str__(self) -> str:
        return f"{self.described} in {self.place}"


def cache_folder() -> Path:
    """Where `nnkit fetch-data mnist` puts the full set."""
    return Path(platformdirs.user_cache_dir("nnkit")) / "mnist"


def subset() -> Digits:
    """The real subset that comes with the course.

    Raises:
        NoData: it is not there, or damaged.
    """
    for folder in course.folders().values():
        if (folder / f"{SUBSET[0].name}.gz").is_file():
            return read(folder)
    raise NoData("The digits that come with the course are missing; install nnkit again.")


def find() -> Digits:
    """The best digits at hand: in the folder that NNKIT_DATA names, else in the cache, else the subset.

    Raises:
        NoData: what lies in one of the first two places is damaged or not whole; nothing is used in its stead.
    """
    named = os.environ.get(VARIABLE)
    if named and not Path(named).is_dir():
        raise NoData(
            f"{VARIABLE} names {named}, which is no folder; name the one with the files of MNIST, or unset it."
        )
    for folder in (*((Path(named),) if named else ()), cache_folder()):
        if any(_path(folder, part) for part in FULL):
            return read(folder)
    return subset()


def read(folder: Path) -> Digits:
    """Read the four files of a folder, plain or as .gz, and check them against the published sums.

    Raises:
        NoData: a file is missing, cannot be read, or is neither that of the full set nor that of the subset.
    """
    missing = [part.name for part in FULL if _path(folder, part) is None]
    if missing:
        raise NoData(f"{folder} lacks {', '.join(missing)}: `nnkit fetch-data mnist` brings all four.")
    first = _read(folder, FULL[0], SUBSET[0])
    full = len(first) == FULL[0].size
    rest = [_read(folder, part) for part in (FULL if full else SUBSET)[1:]]
    return Digits(full, folder, (first, rest[0], rest[1], rest[2]))


def whole(folder: Path, part: Part) -> bool:
    """Whether a file of the full set lies in a folder, uncompressed and as published."""
    try:
        path = folder / part.name
        return path.stat().st_size == part.size and digest(path.read_bytes()) == part.sha256
    except OSError:
        return False


def unpack(packed: bytes, most: int) -> bytes:
    """Decompress a gzip file that holds at most so many bytes; never takes memory for more.

    Raises:
        ValueError: it is no gzip file, is cut short, or holds more; completes "train-images-idx3-ubyte.gz ...".
    """
    worker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        data = worker.decompress(packed, most + 1)
    except zlib.error:
        raise ValueError("is no gzip file, or damaged") from None
    if len(data) > most:
        raise ValueError(f"holds more than the {most:,} bytes that were expected")
    if not worker.eof:
        raise ValueError("is cut short")
    return data


def digest(data: bytes) -> str:
    """The sha256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def read_idx(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the array of an IDX file whose sum has been checked."""
    import numpy as np

    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def as_idx(array: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Write a uint8 array as an IDX file."""
    import numpy as np

    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def local(folder: Path, part: Part) -> bytes:
    """Return a file of the full set from somebody's folder, plain or as .gz, checked.

    Raises:
        NoData: it is not there, or is not that file.
    """
    if _path(folder, part) is None:
        raise NoData(f"{folder} has no {part.name}")
    return _read(folder, part)


def _path(folder: Path, part: Part) -> Path | None:
    dotted = part.name.replace("-idx", ".idx")  # so they were called at first
    names = [part.name, dotted, f"{part.name}.gz", f"{dotted}.gz"]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read(folder: Path, *wanted: Part) -> bytes:
    path = _path(folder, wanted[0])
    if path is None:
        raise NoData(f"{folder} lacks {wanted[0].name}: `nnkit fetch-data mnist` brings all four.")
    most = max(part.size for part in wanted)
    try:
        if path.stat().st_size > most + SLACK:
            raise ValueError(f"has {path.stat().st_size:,} bytes instead of {most:,}")
        data = path.read_bytes()
        data = unpack(data, most) if path.suffix == ".gz" else data
        for part in wanted:
            if len(data) == part.size and digest(data) == part.sha256:
                return data
        if len(data) not in {part.size for part in wanted}:
            raise ValueError(f"holds {len(data):,} bytes instead of {most:,}")
        raise ValueError("has another sha256 than the published file")
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
    except ValueError as error:
        why = str(error)
    raise NoData(f"{path} {why}. Remove it, and run `nnkit fetch-data mnist`.")
