"""The digits are found in the right place, and only as they were published."""

import gzip
import zlib

import numpy as np
import pytest

from nnkit.grader import data
from nnkit.grader.data import Part
from nnkit.grader.errors import NoData

NAMES = [part.name for part in data.FULL]


def parts(contents):
    return tuple(Part(name, len(content), data.digest(content)) for name, content in zip(NAMES, contents, strict=True))


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Small full and partial sets in a named folder, a cache and a course."""
    rng = np.random.default_rng(0)
    full = [data.as_idx(rng.integers(0, 9, shape, np.uint8)) for shape in ((6, 2, 2), (6,), (4, 2, 2), (4,))]
    some = [data.as_idx(rng.integers(0, 9, shape, np.uint8)) for shape in ((3, 2, 2), (3,), (2, 2, 2), (2,))]
    monkeypatch.setattr(data, "FULL", parts(full))
    monkeypatch.setattr(data, "SUBSET", parts(some))
    monkeypatch.delenv(data.VARIABLE, raising=False)
    monkeypatch.setattr(data, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path / "course"))
    section = tmp_path / "course" / "exercises" / "s38_digits"
    section.mkdir(parents=True)
    for name, content in zip(NAMES, some, strict=True):
        (section / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path, full, some


def put(folder, contents):
    folder.mkdir(exist_ok=True)
    for name, content in zip(NAMES, contents, strict=True):
        (folder / name).write_bytes(content)


def test_the_subset_is_used_where_there_is_nothing_else(places):
    """Offline and at once"""
    found = data.find()

    assert not found.full
    assert found.files == tuple(places[2])
    assert "subset" in str(found)
    images, labels = found.train
    assert (images.shape, labels.shape, images.dtype) == ((3, 2, 2), (3,), np.uint8)


def test_the_cache_comes_before_the_subset_and_the_named_folder_before_both(places, monkeypatch):
    """NNKIT_DATA, then what fetch-data brought, then the subset"""
    folder, full, some = places
    put(folder / "cache", full)
    assert data.find().place == folder / "cache"

    put(folder / "named", some)
    monkeypatch.setenv(data.VARIABLE, str(folder / "named"))
    assert (data.find().place, data.find().full) == (folder / "named", False)


def test_a_named_folder_without_files(places, monkeypatch):
    """An empty folder is passed over; one that is not there is said"""
    (places[0] / "empty").mkdir()
    monkeypatch.setenv(data.VARIABLE, str(places[0] / "empty"))
    assert not data.find().full

    monkeypatch.setenv(data.VARIABLE, str(places[0] / "nowhere"))
    with pytest.raises(NoData, match=r"NNKIT_DATA names .*nowhere, which is no folder"):
        data.find()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: raw[:-1], "holds .* bytes instead of"),
        (lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), "another sha256"),
        (lambda raw: raw * 3, "bytes instead of"),
        (lambda _raw: b"", "holds 0 bytes"),
    ],
)
def test_a_damaged_file_is_refused(places, change, says):
    """Nothing is used in its stead, and the file is named"""
    folder, full, _some = places
    put(folder / "cache", full)
    (folder / "cache" / NAMES[1]).write_bytes(change(full[1]))

    with pytest.raises(NoData, match=rf"{NAMES[1]} .*{says}"):
        data.find()


def test_a_missing_file_is_named(places):
    """Three of four are no data set"""
    folder, full, _some = places
    put(folder / "cache", full)
    (folder / "cache" / NAMES[2]).unlink()

    with pytest.raises(NoData, match=f"lacks {NAMES[2]}"):
        data.find()


def test_unpacking_takes_no_more_memory_than_expected():
    """A gzip bomb ends after one byte too many; twice packed, cut short and no gzip at all have a sentence each"""
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(ValueError, match="more than the 1,000 bytes"):
        data.unpack(bomb, 1000)
    packed = gzip.compress(b"abc" * 100)
    assert data.unpack(packed, 300) == b"abc" * 100
    assert data.unpack(gzip.compress(packed), 300) == packed  # what it holds, the sum decides
    for broken, says in (
        (packed[:-9], "cut short"),
        (b"abc", "no gzip"),
        (packed[:20] + b"\xff" * 30, "gzip|damaged|short"),
    ):
        with pytest.raises(ValueError, match=says):
            data.unpack(broken, 300)


def test_idx_there_and_back():
    """An array is what it was after being written and read"""
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)

    assert np.array_equal(data.read_idx(data.as_idx(array)), array)
    assert zlib.crc32(data.as_idx(array)[:8]) == zlib.crc32(bytes([0, 0, 8, 3, 0, 0, 0, 2]))
