"""A plain folder of submissions is read whole, in order, without opening anything but plain files."""

import io
import os
import random
import socket
import stat
import struct
import time
import tracemalloc
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnkit.grader.errors import AskedWrongly
from nnkit.grader.exchange import plain


@dataclass(frozen=True)
class Section:
    number: str
    slug: str

    @property
    def name(self):
        return f"s{int(self.number):02}_{self.slug}"


SIGMOID, RELU = Section("12", "sigmoid"), Section("13", "relu")
CODE = b"def relu(x): ...\n"


def fill(folder, files):
    """Write files; a value is bytes, text, or a dict that becomes a zip."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zipped(content) if isinstance(content, dict) else content)
    return folder


def zipped(files, **options):
    """Return a zip; a key is a name or a ZipInfo, a value bytes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", **options) as archive:
        warnings.simplefilter("ignore")  # names that are there twice
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def entry(name, mode=0, **fields):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def read(folder, *sections, known=()):
    reading = plain.read(folder, sections or (SIGMOID, RELU), known)
    return {each.who: each for each in reading.submissions}


def one(folder, *sections, known=()):
    (only,) = read(folder, *sections, known=known).values()
    return only


# What is a submission


def test_a_folder_a_zip_and_a_file_are_submissions(tmp_path):
    """one folder, one zip or one .py file per student, in the order of their names"""
    fill(tmp_path, {
        "grace/s13_relu/relu.py": CODE,
        "ada.zip": {"s13_relu/relu.py": CODE, "s12_sigmoid/sigmoid.py": b"s"},
        "alan_relu.py": CODE,
        "alan_s12_sigmoid.py": b"s",
    })  # fmt: skip
    reading = plain.read(tmp_path, [SIGMOID, RELU])

    assert [each.who for each in reading.submissions] == ["ada", "alan", "grace"]
    assert [each.path for each in reading.submissions] == ["ada.zip", "alan_relu.py, alan_s12_sigmoid.py", "grace"]
    ada, alan, grace = reading.submissions
    assert ada.files == alan.files == {"12": {"sigmoid.py": b"s"}, "13": {"relu.py": CODE}}
    assert grace.files == {"13": {"relu.py": CODE}}, "a section that is not there is simply not there"
    assert reading.notes == ada.notes == alan.notes == ()


@pytest.mark.parametrize(
    ("name", "who"),
    [("ada.py", "ada"), ("ada_relu.py", "ada"), ("ada_s13_relu.py", "ada"), ("s07_relu.py", "s07"), ("ada_b_relu.py", "ada_b"), ("ada.b.py", "ada.b"), ("ADA.PY", "ADA")],
)  # fmt: skip
def test_the_name_of_a_single_file_says_who(tmp_path, name, who):
    """with one section asked for, a file may be called after its student only"""
    assert one(fill(tmp_path, {name: CODE}), RELU) == plain.Submission(who, name, {"13": {"relu.py": CODE}})


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("README.txt", "README.txt is neither a folder nor a .zip nor a .py file, and was left out."),
        ("ada.rar", "ada.rar is neither a folder nor a .zip nor a .py file, and was left out."),
        ("alan.py", "alan.py does not say its section, as ada_relu.py would, and was left out."),
        ("relu.py", "relu.py does not say its student, as ada_relu.py would, and was left out."),
        ("s13_relu.py", "s13_relu.py does not say its student, as ada_relu.py would, and was left out."),
        ("test_relu.py", "test_relu.py does not say its student, as ada_relu.py would, and was left out."),
        ("s13_relu/relu.py", "s13_relu is called like a section, not like a student, and was left out."),
        ("alan_tanh.py", "alan_tanh.py is for section tanh, which was not asked for."),
    ],
)
def test_what_is_no_submission_has_a_note(tmp_path, name, note):
    """nothing is left out in silence"""
    fill(tmp_path, {"ada/relu.py": CODE, name: CODE})
    reading = plain.read(tmp_path, [SIGMOID, RELU], known=["sigmoid", "relu", "tanh"])

    assert [each.who for each in reading.submissions] == ["ada"]
    assert reading.notes == (note,)


def test_many_files_of_other_sections_are_one_note(tmp_path):
    """a flat folder of the whole course is graded section by section"""
    fill(tmp_path, {f"{who}_{slug}.py": CODE for who in ("ada", "alan", "grace") for slug in ("relu", "tanh")})
    reading = plain.read(tmp_path, [RELU], known=["relu", "tanh"])

    assert len(reading.submissions) == 3
    assert reading.notes == ("3 files (ada_tanh.py, ...) are for section tanh, which was not asked for.",)


def test_what_computers_leave_behind_is_ignored(tmp_path):
    """hidden files, __MACOSX and __pycache__ are nobody's submission and nobody's file"""
    junk = {f"{folder}/relu.py": b"junk" for folder in ("__MACOSX", "__pycache__", ".git", ".venv/lib")} | {
        "._relu.py": b"junk"
    }
    fill(
        tmp_path,
        {
            **junk,
            ".DS_Store": b"",
            "ada.zip": junk | {"work/deep/relu.py": CODE},
            **{f"grace/{name}": b"junk" for name in junk},
        },
    )
    reading = plain.read(tmp_path, [RELU])

    assert [(each.who, each.files, each.notes) for each in reading.submissions] == [
        ("ada", {"13": {"relu.py": CODE}}, ()),
        ("grace", {}, ()),
    ]
    assert reading.notes == ()


@pytest.mark.parametrize(
    "names", [("ada/relu.py", "ada.zip"), ("Ada/relu.py", "ada/relu.py"), ("ad\u00e1_relu.py", "ada\u0301.zip")]
)
def test_two_submissions_of_one_name_are_both_kept(tmp_path, names):
    """twins are named by their entries, with a note"""
    fill(tmp_path, {name: {"relu.py": CODE} if name.endswith(".zip") else CODE for name in names})
    found = read(tmp_path, RELU)
    entries = sorted(name.partition("/")[0] for name in names)

    assert sorted(found) == entries
    assert found[entries[0]].notes == (
        f"{entries[0]} may be of the same student as {entries[1]}; each is graded by itself.",
    )
    assert all(each.files for each in found.values())


def test_names_stay_apart_whatever_they_are(tmp_path):
    """control characters, directions and bytes that are no text are escaped, and never make two names one"""
    for name in (b"ada\nx", b"ada\\nx", "ada\u202ex".encode(), b"ada\xff", b"ada\\udcff", b" "):
        (tmp_path / os.fsdecode(name)).mkdir()
    fill(tmp_path, {"ada/relu.py": CODE, "ada.zip": {"relu.py": CODE}, "ada.zip.zip": {"relu.py": CODE}})
    found = read(tmp_path, RELU)

    assert len(found) == 9
    assert {"ada", "ada.zip", "ada.zip (2)"} <= found.keys()
    assert all(who.isprintable() and each.path.isprintable() for who, each in found.items())
    assert {"ada\\nx", "ada\\\\nx", "ada\\u202ex", "ada\\udcff", "ada\\\\udcff"} <= found.keys()


def test_a_folder_that_cannot_be_graded(tmp_path):
    """no folder, a file, and a folder without a submission are asked wrongly"""
    fill(tmp_path, {"file": b"", "readme/README.txt": b""})
    (tmp_path / "empty").mkdir()
    for name, says in [
        ("nowhere", "cannot be read (No such file or directory); name the folder that holds the submissions."),
        ("file", "is a file; name the folder that holds the submissions."),
        ("empty", "holds no submission; expected one folder, one .zip or one .py file per student."),
        (
            "readme",
            "holds no submission; expected one folder, one .zip or one .py file per student. README.txt is neither",
        ),
    ]:
        with pytest.raises(AskedWrongly) as caught:
            plain.read(tmp_path / name, [RELU])
        assert f"{name} {says}" in str(caught.value)


# Which files


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({"relu.py": b"a", "s13_relu/relu.py": b"b"}, b"b"),
        ({"relu.py": b"a", "my/work/s13_relu/relu.py": b"b"}, b"b"),
        ({"s13_relu/relu.py": b"a", "old/s13_relu/relu.py": b"b"}, b"a"),
        ({"relu.py": b"a", "old/relu.py": b"b"}, b"a"),
        ({"x/relu.py": b"a", "y/relu.py": b"a"}, b"a"),
        ({"x/y/relu.py": b"a"}, b"a"),
        ({"s13_relu/old/relu.py": b"a", "z/relu.py": b"b"}, b"b"),
        ({"other.py": b"a"}, None),
    ],
)
def test_the_main_file(tmp_path, pack, files, taken):
    """s13_relu/relu.py goes first, then the shallowest relu.py"""
    fill(tmp_path, {"ada.zip": files} if pack else {f"ada/{name}": content for name, content in files.items()})
    found = one(tmp_path, RELU)

    assert found.files.get("13", {}).get("relu.py") == taken
    assert found.refused == {}


def test_two_different_main_files_are_refused(tmp_path):
    """both are named, and the other section is untouched"""
    fill(
        tmp_path,
        {
            "ada/x/relu.py": b"1",
            "ada/y/relu.py": b"2",
            "ada/sigmoid.py": b"s",
            "alan_relu.py": b"1",
            "alan_s13_relu.py": b"2",
        },
    )
    found = read(tmp_path)

    assert found["ada"].files == {"12": {"sigmoid.py": b"s"}}
    assert found["ada"].refused == {
        "13": "ada: x/relu.py and y/relu.py are for the same section and have different contents; send one of them."
    }
    assert found["alan"].refused == {
        "13": "alan_relu.py and alan_s13_relu.py are for the same section and have different contents; send one of them."
    }


def test_helpers_come_along(tmp_path):
    """.py files beside the main file travel with it; suites, other sections and libraries' names do not"""
    beside = [
        "relu.py",
        "helper.py",
        "test_relu.py",
        "conftest.py",
        "__init__.py",
        "tanh.py",
        "s13.py",
        "no-name.py",
        "numpy.py",
        "notes.txt",
    ]
    fill(
        tmp_path,
        {f"ada/s13_relu/{name}": name.encode() for name in beside}
        | {"ada/outside.py": b"", "ada/s13_relu/deeper/x.py": b""},
    )
    found = one(tmp_path, RELU, known=["relu", "tanh"])

    assert found.files == {"13": {"relu.py": b"relu.py", "helper.py": b"helper.py"}}
    assert found.notes == ("ada: s13_relu/numpy.py has the name of a library, and was left out.",)


def test_a_flat_folder_gives_no_helpers(tmp_path):
    """beside a single file lie other students' files"""
    assert one(fill(tmp_path, {"ada_relu.py": CODE}), RELU).files == {"13": {"relu.py": CODE}}


def test_near_misses_are_noted(tmp_path):
    """a wrong case, a notebook and an archive within are told, not guessed"""
    fill(tmp_path, {"ada/Relu.py": CODE, "ada/relu.ipynb": b"", "ada/all.zip": b"", "ada/sigmoid.py": b"s"})

    assert one(tmp_path).notes == (
        "ada: all.zip is an archive within, and was not opened.",
        "ada: relu.ipynb is not a .py file, and was left out.",
        "ada: Relu.py is not called relu.py, and was left out.",
    )


def test_the_digest_follows_names_and_bytes(tmp_path):
    """the same files have the same digest, however they were packed; any other byte or name changes it"""
    fill(
        tmp_path,
        {
            "ada/relu.py": CODE,
            "alan.zip": {"s13_relu/relu.py": CODE},
            "grace/relu.py": CODE + b"#",
            "grace/sigmoid.py": b"s",
        },
    )
    found = read(tmp_path)

    assert found["ada"].digest == found["alan"].digest != found["grace"].digest
    assert found["ada"].digest_of("12") == found["alan"].digest_of("12") != found["grace"].digest_of("12")
    moved = [
        plain.Submission("ada", "ada", {"13": files}) for files in ({"a": b"bc"}, {"ab": b"c"}, {"a": b"b", "c": b""})
    ]
    assert len({each.digest for each in moved}) == 3


# Hostile folders


def test_links_are_not_followed(tmp_path):
    """a link is refused with a sentence, wherever it is"""
    fill(tmp_path, {"secret/relu.py": b"secret", "secret/s12_sigmoid/sigmoid.py": b"secret"})
    folder = tmp_path / "submissions"
    fill(folder, {"ada/sigmoid.py": b"s"})
    (folder / "ada/relu.py").symlink_to(tmp_path / "secret/relu.py")
    (folder / "ada/s12_sigmoid").symlink_to(tmp_path / "secret/s12_sigmoid")
    (folder / "ada/helper.py").symlink_to("/nowhere")
    (folder / "alan").symlink_to(tmp_path / "secret")
    (folder / "alan_relu.py").symlink_to(tmp_path / "secret/relu.py")
    (folder / "grace.zip").symlink_to("/dev/zero")
    found = read(folder)

    assert found["ada"].refused == {"13": "ada: relu.py is a link; send the file itself."}
    assert found["ada"].files == {"12": {"sigmoid.py": b"s"}}
    assert found["ada"].notes == (
        "ada: s12_sigmoid is a link; send the file itself.",
        "ada: helper.py is a link; send the file itself.",
    )
    assert found["alan"].refused == dict.fromkeys(("12", "13"), "alan is a link; send the file itself.")
    assert found["alan_relu.py"].refused == {"13": "alan_relu.py is a link; send the file itself."}
    assert found["grace"].refused["13"] == "grace.zip is a link; send the file itself."
    assert not any(
        b"secret" in file for each in found.values() for files in each.files.values() for file in files.values()
    )


def test_what_is_no_file_is_not_opened(tmp_path):
    """folders, pipes and sockets called relu.py are refused; nothing hangs"""
    for who in ("ada", "alan", "grace"):
        (tmp_path / who).mkdir()
    (tmp_path / "ada/relu.py").mkdir()
    os.mkfifo(tmp_path / "alan/relu.py")
    os.mkfifo(tmp_path / "pipe.zip")
    os.mkfifo(tmp_path / "pipe_relu.py")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(tmp_path / "grace", os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/relu.py")
        os.close(here)
        reading = plain.read(tmp_path, [RELU])

    assert {each.path: each.refused["13"] for each in reading.submissions} == {
        "ada": "ada: relu.py is a folder, not a file.",
        "alan": "alan: relu.py is not a plain file; send an ordinary one.",
        "grace": "grace: relu.py is not a plain file; send an ordinary one.",
        "pipe.zip": "pipe.zip is not a plain file; send an ordinary one.",
        "pipe_relu.py": "pipe_relu.py is not a plain file; send an ordinary one.",
    }
    assert reading.notes == ("pipe is neither a folder nor a .zip nor a .py file, and was left out.",)


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path, monkeypatch):
    """what stands under a name is asked again after opening"""
    os.mkfifo(tmp_path / "ada_relu.py")
    real = os.stat
    monkeypatch.setattr(plain.os, "stat", lambda *a, **k: os.stat_result((stat.S_IFREG, *tuple(real(*a, **k))[1:10])))

    assert one(tmp_path, RELU).refused == {"13": "ada_relu.py is not a plain file; send an ordinary one."}


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
def test_sizes_are_bounded(tmp_path, pack):
    """a large file costs its section, large submissions all sections, large pictures nothing"""
    full = b"#" * plain.FILE_LIMIT
    given = {
        "ada": {"relu.py": full + b"#", "sigmoid.py": b"s", "picture.png": full * 5},
        "alan": {f"f{n}.py": full for n in range(4)} | {"relu.py": CODE},
        "grace": {"relu.py": full},
    }
    for who, files in given.items():
        fill(tmp_path, {f"{who}.zip": files} if pack else {f"{who}/{name}": content for name, content in files.items()})
    found = read(tmp_path)
    end = ".zip" if pack else ""

    assert found["ada"].refused == {
        "13": f"ada{end}: relu.py has 1,048,577 bytes; at most 1,048,576 are read. Send the code without data."
    }
    assert found["ada"].files == {"12": {"sigmoid.py": b"s"}}
    assert (
        found["alan"].refused["12"] == f"alan{end} holds more than 4 MiB of code; send only the files of the sections."
    )
    assert found["grace"].files == {"13": {"relu.py": full}}


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
def test_numbers_and_depth_are_bounded(tmp_path, pack):
    """too many entries and too deep folders are refused"""
    given = {
        "ada": {f"{n}.txt": b"" for n in range(2001)} | {"relu.py": CODE},
        "alan": {"a/" * 9 + "relu.py": CODE},
        "grace": {"a/" * 8 + "relu.py": CODE},
    }
    for who, files in given.items():
        fill(tmp_path, {f"{who}.zip": files} if pack else {f"{who}/{name}": content for name, content in files.items()})
    found = read(tmp_path, RELU)
    end = ".zip" if pack else ""

    assert found["ada"].refused["13"] == f"ada{end} holds more than 2000 files and folders; send only the .py files."
    assert found["alan"].refused["13"] == f"alan{end} holds folders more than 8 deep; send only the .py files."
    assert found["grace"].files == {"13": {"relu.py": CODE}}


def test_what_may_not_be_read_is_told(tmp_path, monkeypatch):
    """a file or folder without permission is refused; the others are read"""
    fill(tmp_path, {"ada/relu.py": CODE, "alan/s13_relu/relu.py": CODE, "grace/relu.py": CODE})
    closed = {(tmp_path / "ada/relu.py").stat().st_ino, (tmp_path / "alan/s13_relu").stat().st_ino}
    real = os.open

    def guarded(path, flags, *, dir_fd=None):
        if os.stat(path, dir_fd=dir_fd).st_ino in closed:  # chmod keeps no administrator out
            raise PermissionError(13, "Permission denied")
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(plain.os, "open", guarded)
    found = read(tmp_path, RELU)

    assert found["ada"].refused == {"13": "ada: relu.py cannot be read (Permission denied)."}
    assert found["alan"].refused == {"13": "alan holds s13_relu, which cannot be read (Permission denied)."}
    assert found["grace"].files == {"13": {"relu.py": CODE}}


# Hostile zips


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a zip that can be read; zip the files again."),
        (b"Rar!\x1a\x07", "is not a zip that can be read; zip the files again."),
        (zipped({"relu.py": CODE})[:-30], "is not a zip that can be read; zip the files again."),
        (zipped({"relu.py": CODE})[:-10] + struct.pack("<I", 2**32 - 2) + bytes(6), "is not a zip that can be read; zip the files again."),
    ],
    ids=["empty", "rar", "cut off", "a long index"],
)  # fmt: skip
def test_a_broken_zip_is_refused(tmp_path, content, says):
    """what is no zip is told, and nothing is raised"""
    assert one(fill(tmp_path, {"ada.zip": content}), RELU).refused == {"13": f"ada.zip {says}"}


def damaged(content):
    """Return a zip in which a byte of the first file's content is another one."""
    at = content.index(CODE)
    return content[:at] + b"X" + content[at + 1 :]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped({entry("relu.py", stat.S_IFLNK | 0o777): b"/etc/passwd"}), "is a link; send the file itself"),
        (zipped({entry("relu.py", stat.S_IFIFO): b""}), "is not a plain file; send an ordinary one"),
        (zipped({"relu.py/": b""}), "is a folder, not a file"),
        (zipped({"relu.py/x.txt": b""}), "is a folder, not a file"),
        (zipped({entry("relu.py"): b"1", entry("relu.py "[:7]): b"2"}), "is there twice, with different contents; send one of them"),
        (zipped({entry("relu.py", compress_type=zipfile.ZIP_LZMA): CODE}), "is packed in an unusual way; use an ordinary zip"),
        (damaged(zipped({"relu.py": CODE})), "is damaged; zip it again"),
    ],
    ids=["link", "pipe", "folder", "implied folder", "twice", "lzma", "damaged"],
)  # fmt: skip
def test_a_bad_entry_costs_its_section(tmp_path, content, says):
    """an entry that is not a plain, readable file is refused with a sentence"""
    assert one(fill(tmp_path, {"ada.zip": content}), RELU).refused == {"13": f"ada.zip: relu.py {says}."}


def test_an_encrypted_entry_is_refused(tmp_path):
    """a password is not asked for"""
    content = bytearray(zipped({"relu.py": CODE}))
    content[6] |= 1  # flags of the entry
    content[content.index(b"PK\1\2") + 8] |= 1  # flags in the index

    assert one(fill(tmp_path, {"ada.zip": bytes(content)}), RELU).refused == {
        "13": "ada.zip: relu.py is encrypted; zip it without a password."
    }


@pytest.mark.parametrize(
    "name", ["/relu.py", "../relu.py", "a/../../relu.py", "C:/relu.py", "\\relu.py", "..\\relu.py"]
)
def test_names_that_lead_out_are_left_out(tmp_path, name):
    """an entry that would be written elsewhere is noted, and not taken"""
    found = one(fill(tmp_path, {"ada.zip": {name: b"x", "sigmoid.py": b"s"}}))

    assert found.files == {"12": {"sigmoid.py": b"s"}}
    shown = name.replace("\\", "\\\\")
    assert found.notes == (f"ada.zip: {shown} is a name that leads out of the archive, and was left out.",)


def test_archives_of_other_systems_are_read(tmp_path):
    """backslashes separate folders, a folder around everything and two equal entries do no harm"""
    fill(tmp_path, {
        "ada.zip": {"work\\s13_relu\\relu.py": CODE},
        "alan.zip": {"alan/": b"", "alan/./relu.py": CODE, "__MACOSX/alan/._relu.py": b"x"},
        "grace.zip": {entry("relu.py"): CODE, entry("relu.py"): CODE},
    })  # fmt: skip

    assert [each.files for each in read(tmp_path, RELU).values()] == [{"13": {"relu.py": CODE}}] * 3


def bomb(claimed):
    """Return a zip whose relu.py is 200 MB of zeros, and claims another size."""
    content = bytearray(zipped({"relu.py": bytes(200 << 20)}, compression=zipfile.ZIP_DEFLATED))
    at = content.index(b"PK\1\2") + 24
    content[at : at + 4] = struct.pack("<I", claimed)
    return bytes(content)


@pytest.mark.parametrize("claimed", [200 << 20, 100])
def test_a_bomb_does_not_go_off(tmp_path, claimed):
    """neither the size that an entry claims nor the size that it has is taken in memory"""
    fill(tmp_path, {"ada.zip": bomb(claimed)})
    tracemalloc.start()
    found = one(tmp_path, RELU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "13" in found.refused
    assert peak < 16 << 20


def test_an_endless_index_is_not_read(tmp_path):
    """a zip of a hundred thousand entries is refused before they are listed"""
    one_entry = zipped({"a": b""})
    start, end = one_entry.index(b"PK\1\2"), one_entry.index(b"PK\5\6")
    index = one_entry[start:end] * 100_000
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(index), start, 0)
    fill(tmp_path, {"ada.zip": one_entry[:start] + index + tail})
    started = time.process_time()

    assert one(tmp_path, RELU).refused == {
        "13": "ada.zip holds more than 2000 files and folders; send only the .py files."
    }
    assert time.process_time() - started < 2


names = st.text(
    st.sampled_from("relusgmoid_13./\\: \0\n\u202e\ud800é") | st.characters(), max_size=12
) | st.sampled_from(
    [
        "relu.py",
        "s13_relu/relu.py",
        "s13_relu/",
        "relu.py/",
        "../relu.py",
        "helper.py",
        "numpy.py",
        "x.zip",
        ".py",
        "/",
        "",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(st.tuples(names, st.binary(max_size=20), st.integers(0, 0xFFFF)), max_size=6))
def test_any_names_in_a_zip_are_read(tmp_path, entries):
    """whatever the entries are called, each section is taken, refused or missing"""
    files = {}
    for name, content, mode in entries:
        files[entry(name.encode("utf-8", "replace").decode(), mode)] = content
    (tmp_path / "ada.zip").write_bytes(zipped(files))
    found = one(tmp_path)

    assert not found.files.keys() & found.refused.keys()
    for number, each in found.files.items():
        assert {"12": "sigmoid.py", "13": "relu.py"}[number] in each
    for text in (*found.refused.values(), *found.notes):
        assert text.isprintable()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(seed=st.integers(0, 2**32), bytes_changed=st.integers(1, 8), cut=st.integers(0, 20))
def test_any_bytes_in_a_zip_are_read(tmp_path, seed, bytes_changed, cut):
    """a zip with any bytes changed is read or refused; nothing is raised"""
    content = bytearray(zipped({"s13_relu/relu.py": CODE, "sigmoid.py": b"s" * 50}, compression=zipfile.ZIP_DEFLATED))
    dice = random.Random(seed)
    for _ in range(bytes_changed):
        content[dice.randrange(len(content))] = dice.randrange(256)
    (tmp_path / "ada.zip").write_bytes(content[: len(content) - cut])
    found = one(tmp_path)

    assert found.who == "ada"
    assert not found.files.keys() & found.refused.keys()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_are_no_zip(tmp_path, content):
    """bytes that were never a zip are refused"""
    (tmp_path / "ada.zip").write_bytes(content)

    assert set(one(tmp_path).refused) == {"12", "13"}


def test_one_bad_submission_touches_no_other(tmp_path):
    """among a broken zip, a link and a pipe the good ones are read as if alone"""
    fill(tmp_path, {"ada/relu.py": CODE, "broken.zip": b"PK\5\6", "grace.zip": {"relu.py": CODE}})
    Path(tmp_path / "link").symlink_to(".")
    os.mkfifo(tmp_path / "pipe_relu.py")
    found = read(tmp_path, RELU)

    assert [who for who, each in found.items() if each.files] == ["ada", "grace"]
    assert [who for who, each in found.items() if each.refused] == ["broken", "link", "pipe"]


def test_files_of_used_sections_come_along(tmp_path):
    """A section that uses another one's file gets it, from wherever it lies in the same submission; nobody else does"""
    fill(tmp_path, {"ada/s12_sigmoid/sigmoid.py": b"import relu\n", "ada/deeper/s13_relu/relu.py": CODE})
    fill(tmp_path, {"grace.zip": {"s12_sigmoid/sigmoid.py": b"import relu\n"}})

    ada, grace = plain.read(tmp_path, [SIGMOID], ["relu", "sigmoid"], {"12": [RELU]}).submissions

    assert ada.files["12"] == {"sigmoid.py": b"import relu\n", "relu.py": CODE}
    assert grace.files["12"] == {"sigmoid.py": b"import relu\n"}
    [alone, _] = plain.read(tmp_path, [SIGMOID], ["relu", "sigmoid"]).submissions
    assert set(alone.files["12"]) == {"sigmoid.py"}


def test_used_files_that_differ(tmp_path):
    """Two different files for a used section: none is taken, and a note says so"""
    fill(tmp_path, {"ada/sigmoid.py": b"import relu\n", "ada/a/relu.py": CODE, "ada/b/relu.py": CODE + b"#\n"})

    [ada] = plain.read(tmp_path, [SIGMOID], ["relu", "sigmoid"], {"12": [RELU]}).submissions

    assert set(ada.files["12"]) == {"sigmoid.py"}
    assert any("relu.py" in note and "section 12" in note for note in ada.notes)
