"""The student's folder is kept: nothing written there is ever lost, and everything is found again."""

import errno
import json
import os
import re
from pathlib import Path

import pytest

from nnkit.grader import course, workspace
from nnkit.grader.errors import CourseError, WorkspaceError

FACTS = """\
title = "ReLU"
summary = "Implement max(0, x)."
difficulty = 2
libraries = ["numpy"]
after = []
points = 20
cpu_seconds = 3
hints = ["a", "b", "c"]
"""
STUB = '"""ReLU."""\n\n\ndef relu(x):\n    raise NotImplementedError("section 13: write relu")\n'
WORK = STUB.replace('raise NotImplementedError("section 13: write relu")', "return x * (x > 0)")


class Shipped:
    """A course of the test's own, whose files it may change as a release would."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str = "s13_relu") -> course.Section:
        folder, slug = self.root / "exercises" / name, name.partition("_")[2]
        folder.mkdir(parents=True)
        (folder / "section.toml").write_text(FACTS)
        (folder / "README.md").write_text("# ReLU\n")
        (folder / f"{slug}.py").write_text(STUB)
        (folder / f"test_{slug}.py").write_text("def test_relu(student): ...\n")
        return course.read(folder)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path / "course"))
    return Shipped(tmp_path / "course")


@pytest.fixture
def relu(shipped):
    return shipped.add()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Ada's folder, with a space and a letter beyond ASCII in its name; she stands in it."""
    folder = tmp_path / "ada's näts"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def did(results):
    return {file.path.name: file.did for result in results for file in result.files}


def tree(folder):
    """Every file below, with its content; nnkit's own memory left out."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files if path.name != "fetched.json"}


def test_fetch_brings_lesson_stub_and_visible_suite(relu, home):
    """Three files, byte for byte as shipped, and nothing else"""
    [result] = workspace.fetch([relu], home)

    assert tree(home) == {
        "s13_relu/README.md": "# ReLU\n",
        "s13_relu/relu.py": STUB,
        "s13_relu/test_relu.py": "def test_relu(student): ...\n",
    }
    assert set(did([result]).values()) == {"new"}
    assert result.as_text() == "s13_relu: fetched. Read README.md, write relu.py, then `nnkit check 13`."
    assert result.as_dict()["files"][1]["path"] == str(home / "s13_relu" / "relu.py")


def test_fetch_makes_the_folder_it_is_told(relu, home):
    """--to may name a folder that is not there yet"""
    workspace.fetch([relu], home / "a" / "b")

    assert (home / "a" / "b" / "s13_relu" / "relu.py").read_text() == STUB


def test_fetching_twice_changes_nothing(relu, home):
    """The second time everything is the same"""
    workspace.fetch([relu], home)
    before = tree(home)

    results = workspace.fetch([relu], home)

    assert set(did(results).values()) == {"same"}
    assert results[0].as_text() == "s13_relu: nothing is newer than what you have."
    assert tree(home) == before


def test_work_is_kept(relu, home):
    """A changed file is left alone when the stub is still the one that was fetched"""
    workspace.fetch([relu], home)
    mine = home / "s13_relu" / "relu.py"
    mine.write_text(WORK)

    results = workspace.fetch([relu], home)

    assert did(results) == {"README.md": "same", "relu.py": "kept", "test_relu.py": "same"}
    assert mine.read_text() == WORK
    assert sorted(path.name for path in mine.parent.iterdir()) == ["README.md", "relu.py", "test_relu.py"]


def test_untouched_files_are_brought_up_to_date(relu, home):
    """A file that is still as fetched is replaced by the newer one, also the stub"""
    workspace.fetch([relu], home)
    relu.readme.write_text("# ReLU, better\n")
    relu.stub.write_text(STUB + "# newer\n")

    results = workspace.fetch([relu], home)

    assert did(results) == {"README.md": "updated", "relu.py": "updated", "test_relu.py": "same"}
    assert (home / "s13_relu" / "README.md").read_text() == "# ReLU, better\n"
    assert (home / "s13_relu" / "relu.py").read_text() == STUB + "# newer\n"


def test_a_newer_stub_lies_beside_the_work(relu, home):
    """relu.py stays, relu.py.new is the newer stub, and the diff shows what is new in it, not what ada wrote"""
    workspace.fetch([relu], home)
    mine = home / "s13_relu" / "relu.py"
    mine.write_text(WORK)
    relu.stub.write_text(STUB + "# newer\n")

    [result] = workspace.fetch([relu], home)

    assert mine.read_text() == WORK
    assert (home / "s13_relu" / "relu.py.new").read_text() == STUB + "# newer\n"
    file = result.files[1]
    assert (file.did, file.beside) == ("beside", home / "s13_relu" / "relu.py.new")
    assert [line for line in file.diff.splitlines() if line[0] in "+-"] == [
        "--- relu.py as you fetched it",
        "+++ relu.py.new",
        "+# newer",
    ]
    assert "kept as you have it. A newer version lies beside it, in relu.py.new:" in result.as_text()


def test_a_newer_stub_is_offered_once(relu, home):
    """Ada saw it and decided; the next fetch is silent"""
    workspace.fetch([relu], home)
    (home / "s13_relu" / "relu.py").write_text(WORK)
    relu.stub.write_text(STUB + "# newer\n")
    workspace.fetch([relu], home)
    before = tree(home)

    assert did(workspace.fetch([relu], home))["relu.py"] == "kept"
    assert tree(home) == before


def test_another_new_file_is_never_overwritten(relu, home):
    """relu.py.new may be ada's own by now: the next one gets a number"""
    workspace.fetch([relu], home)
    folder = home / "s13_relu"
    (folder / "relu.py").write_text(WORK)
    (folder / "relu.py.new").write_text("ada's notes")
    relu.stub.write_text(STUB + "# newer\n")

    [result] = workspace.fetch([relu], home)

    assert (folder / "relu.py.new").read_text() == "ada's notes"
    assert result.files[1].beside == folder / "relu.py.new.2"
    assert (folder / "relu.py.new.2").read_text() == STUB + "# newer\n"


def test_a_changed_test_file_is_kept_too(relu, home):
    """Whoever added a test of their own keeps it"""
    workspace.fetch([relu], home)
    mine = home / "s13_relu" / "test_relu.py"
    mine.write_text("def test_mine(student): ...\n")
    relu.visible_suite.write_text("def test_newer(student): ...\n")

    results = workspace.fetch([relu], home)

    assert did(results)["test_relu.py"] == "beside"
    assert mine.read_text() == "def test_mine(student): ...\n"
    assert "+def test_newer" in results[0].files[2].diff


def test_a_file_that_nnkit_did_not_bring_is_kept(relu, home):
    """Work copied from another machine is nobody's to replace"""
    mine = home / "s13_relu" / "relu.py"
    mine.parent.mkdir()
    mine.write_text(WORK)

    results = workspace.fetch([relu], home)

    assert did(results) == {"README.md": "new", "relu.py": "beside", "test_relu.py": "new"}
    assert mine.read_text() == WORK
    assert (home / "s13_relu" / "relu.py.new").read_text() == STUB


def test_line_ends_are_no_change(relu, home):
    """An editor that writes CRLF has changed nothing"""
    workspace.fetch([relu], home)
    mine = home / "s13_relu" / "relu.py"
    mine.write_bytes(STUB.replace("\n", "\r\n").encode())

    assert workspace.state(relu, home) == "untouched"
    assert did(workspace.fetch([relu], home))["relu.py"] == "same"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"files": 3, "stubs": {}}',
        b'{"files": {"s13_relu/relu.py": 3}, "stubs": {}}',
        b"\xff",
        b"[" * 100_000,
    ],
    ids=["empty", "cut off", "a list", "null", "wrong type", "wrong inside", "not UTF-8", "deep"],
)
def test_a_damaged_memory_is_put_aside(relu, home, damage):
    """Without a memory nothing counts as untouched: the work stays, the newer stub lies beside it"""
    workspace.fetch([relu], home)
    (home / "s13_relu" / "relu.py").write_text(WORK)
    (home / ".nnkit" / "fetched.json").write_bytes(damage)

    assert workspace.state(relu, home) == "changed"
    results = workspace.fetch([relu], home)

    assert did(results)["relu.py"] == "beside"
    assert (home / "s13_relu" / "relu.py").read_text() == WORK
    assert (home / ".nnkit" / "fetched.json.damaged").read_bytes() == damage
    assert json.loads((home / ".nnkit" / "fetched.json").read_text())["version"] == 1


def test_a_link_stays_a_link(relu, home, tmp_path):
    """A symlinked folder, and a symlinked file in it, are brought up to date where they point"""
    workspace.fetch([relu], tmp_path / "elsewhere")
    (home / "s13_relu").symlink_to(tmp_path / "elsewhere" / "s13_relu")
    (home / ".nnkit").symlink_to(tmp_path / "elsewhere" / ".nnkit")
    relu.stub.write_text(STUB + "# newer\n")

    assert did(workspace.fetch([relu], home))["relu.py"] == "updated"
    assert (home / "s13_relu").is_symlink()
    assert (tmp_path / "elsewhere" / "s13_relu" / "relu.py").read_text() == STUB + "# newer\n"
    assert workspace.find(relu, home).read_text() == STUB + "# newer\n"


def full(*_args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_loses_nothing(relu, home, monkeypatch):
    """One sentence, no half-written file, and once there is room the newer stub still arrives"""
    workspace.fetch([relu], home)
    relu.stub.write_text(STUB + "# newer\n")
    before = tree(home)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(WorkspaceError) as caught:
            workspace.fetch([relu], home)

    assert str(caught.value) == (
        f"{home / 's13_relu' / 'relu.py'}: No space left on device. "
        "Nothing that you wrote was changed; free some space and run `nnkit fetch 13` again."
    )
    assert caught.value.exit_code == 2
    assert tree(home) == before
    assert did(workspace.fetch([relu], home))["relu.py"] == "updated"


def test_a_disk_without_hard_links_will_do(relu, home, monkeypatch):
    """On a memory stick files are created plainly, still never over another"""
    monkeypatch.setattr(os, "link", lambda *_args: (_ for _ in ()).throw(PermissionError(errno.EPERM, "no links")))

    assert set(did(workspace.fetch([relu], home)).values()) == {"new"}
    assert (home / "s13_relu" / "relu.py").read_text() == STUB


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_in_one_sentence(relu, home):
    """Permission denied, and what to do"""
    home.chmod(0o500)
    try:
        with pytest.raises(WorkspaceError, match=r"Permission denied.*a folder of your own"):
            workspace.fetch([relu], home)
    finally:
        home.chmod(0o700)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.EACCES, "make it writable"),
        (errno.EROFS, "go to a folder that can be written to"),
        (errno.EIO, "put that right"),
    ],
)
def test_what_the_file_system_refuses_is_one_sentence(relu, home, monkeypatch, code, advice):
    """Whatever the error, its sentence names the file and what to do"""

    def refuse(*_args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(WorkspaceError, match=f"{os.strerror(code)}.*{advice}") as caught:
        workspace.fetch([relu], home)
    assert "\n" not in str(caught.value)
    assert tree(home) == {}


def test_a_file_where_a_folder_should_be(relu, home):
    """A file called s13_relu is not touched"""
    (home / "s13_relu").write_text("my notes")

    with pytest.raises(WorkspaceError, match="rename the file that stands where a folder is needed"):
        workspace.fetch([relu], home)
    assert (home / "s13_relu").read_text() == "my notes"


def test_a_folder_where_a_file_should_be(relu, home):
    """A folder called relu.py is said, by fetch and by find"""
    (home / "s13_relu" / "relu.py").mkdir(parents=True)

    with pytest.raises(WorkspaceError, match="rename the folder that stands where a file is needed"):
        workspace.fetch([relu], home)
    with pytest.raises(WorkspaceError, match=r"relu\.py is a folder"):
        workspace.find(relu, home)


def test_the_course_itself_is_no_students_folder(relu, shipped):
    """Fetching into exercises/ would compare the course with itself"""
    with pytest.raises(WorkspaceError, match="the course's own folder"):
        workspace.fetch([relu], shipped.root / "exercises")


def test_a_section_without_its_files_is_the_courses_fault(relu, home):
    """The sentence names the missing file"""
    relu.readme.unlink()

    with pytest.raises(CourseError, match=r"README\.md cannot be read"):
        workspace.fetch([relu], home)


def test_work_saved_in_the_meantime_is_not_replaced(relu, home, monkeypatch):
    """An editor may save between the look and the write"""
    workspace.fetch([relu], home)
    relu.stub.write_text(STUB + "# newer\n")
    mine = home / "s13_relu" / "relu.py"
    monkeypatch.setattr("shutil.copymode", lambda *_args: mine.write_text(WORK))

    with pytest.raises(WorkspaceError, match="was changed while nnkit was at work"):
        workspace.fetch([relu], home)
    assert mine.read_text() == WORK


def test_home_is_the_folder_of_folders(home):
    """Whoever stands in s13_relu gets s14 beside it, not inside"""
    assert workspace.home(home / "s13_relu") == home
    assert workspace.home(home) == home


def test_reset_puts_the_stub_back_and_keeps_the_work(relu, home):
    """The work is in .nnkit/backup/s13_relu under date and time"""
    workspace.fetch([relu], home)
    mine = home / "s13_relu" / "relu.py"
    mine.write_text(WORK)

    result = workspace.reset(relu, home)

    assert mine.read_text() == STUB
    assert result.backup is not None
    assert result.backup.read_text() == WORK
    assert result.backup.parent == home / ".nnkit" / "backup" / "s13_relu"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_relu\.py", result.backup.name)
    assert workspace.state(relu, home) == "untouched"
    assert result.as_text().startswith(
        "s13_relu/relu.py is the stub again. Your work is kept in .nnkit/backup/s13_relu/".replace("/", os.sep)
    )


def test_backups_never_overwrite_each_other(relu, home):
    """Three resets within one second are three backups"""
    workspace.fetch([relu], home)
    backups = []
    for version in range(3):
        (home / "s13_relu" / "relu.py").write_text(f"{WORK}# {version}\n")
        backups.append(workspace.reset(relu, home).backup)

    assert [backup.read_text() for backup in backups] == [f"{WORK}# {version}\n" for version in range(3)]


def test_reset_of_a_stub_does_nothing(relu, home):
    """There is nothing to keep"""
    workspace.fetch([relu], home)

    result = workspace.reset(relu, home)

    assert result.backup is None
    assert not (home / ".nnkit" / "backup").exists()
    assert "nothing was done" in result.as_text()


def test_reset_from_within_the_sections_folder(relu, home):
    """The backup lies beside the sections, wherever one stands"""
    workspace.fetch([relu], home)
    (home / "s13_relu" / "relu.py").write_text(WORK)

    result = workspace.reset(relu, home / "s13_relu")

    assert result.as_dict() == {
        "section": "13",
        "path": str(home / "s13_relu" / "relu.py"),
        "backup": str(result.backup),
    }
    assert result.backup.is_relative_to(home / ".nnkit")


def test_a_reset_that_cannot_keep_the_work_leaves_it(relu, home, monkeypatch):
    """No backup, no reset"""
    workspace.fetch([relu], home)
    mine = home / "s13_relu" / "relu.py"
    mine.write_text(WORK)
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(WorkspaceError, match=r"free some space and run `nnkit reset 13` again\."):
        workspace.reset(relu, home)
    assert mine.read_text() == WORK


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("relu.py", "."),
        ("s13_relu/relu.py", "."),
        ("s13_relu/relu.py", "s13_relu"),
        ("s13_relu/relu.py", "s14_tanh"),
        ("s13_relu/relu.py", "s13_relu/notes/old"),
        ("exercises/s13_relu/relu.py", "."),
        ("exercises/s13_relu/relu.py", "notes"),
    ],
)
def test_the_students_file_is_found(relu, home, file, start):
    """Here, in the section's folder, in exercises/, and from any folder below"""
    (home / start).mkdir(parents=True, exist_ok=True)
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    (home / file).write_text(WORK)

    assert workspace.find(relu, home / start) == home / file


def test_a_stray_file_far_above_is_not_homework(relu, home):
    """relu.py counts where we stand, not in every folder above"""
    (home / "relu.py").write_text(WORK)
    (home / "other").mkdir()

    with pytest.raises(WorkspaceError) as caught:
        workspace.find(relu, home / "other")
    assert (
        str(caught.value)
        == f"There is no s13_relu/relu.py in {home / 'other'} or above. `nnkit fetch 13` puts it here."
    )


def test_sections_here_are_those_that_are_found(shipped, home):
    """All fetched ones; inside a section's folder only that one; none is said in a sentence"""
    relu, tanh = shipped.add("s13_relu"), shipped.add("s14_tanh")
    shipped.add("s15_gelu")
    with pytest.raises(WorkspaceError, match=r"There is no section's file in .*`nnkit fetch 13`"):
        workspace.sections_here(home)

    workspace.fetch([relu, tanh], home)

    assert [section.number for section in workspace.sections_here(home)] == ["13", "14"]
    assert [section.number for section in workspace.sections_here(home / "s14_tanh")] == ["14"]


def test_the_overview_says_how_far_everything_is(shipped, home):
    """Not fetched, untouched (an older stub too), changed"""
    relu, tanh, _gelu, elu = (shipped.add(name) for name in ("s13_relu", "s14_tanh", "s15_gelu", "s16_elu"))
    workspace.fetch([relu, tanh, elu], home)
    (home / "s13_relu" / "relu.py").write_text(WORK)
    elu.stub.write_text(STUB + "# newer\n")

    lines = workspace.overview(home)

    assert [line.state for line in lines] == ["changed", "untouched", "not fetched", "untouched"]
    assert workspace.as_table(lines).splitlines()[:2] == [
        "    section  difficulty  points  needs  your file",
        "13  ReLU     **              20  numpy  changed",
    ]
    assert lines[0].as_dict()["section"] == "13"


def test_a_damaged_student_file_is_a_changed_one(relu, home):
    """A folder in its place, or bytes that are no text"""
    mine = home / "s13_relu" / "relu.py"
    mine.mkdir(parents=True)
    assert workspace.state(relu, home) == "changed"

    mine.rmdir()
    mine.write_bytes(b"\xff\x00")
    assert workspace.state(relu, home) == "changed"
    assert did(workspace.fetch([relu], home))["relu.py"] == "beside"
    assert mine.read_bytes() == b"\xff\x00"
