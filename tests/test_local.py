"""On a student's machine: which files beside the section's are taken along, and what they cannot replace."""

import sys

import numpy as np
import pytest

from nnkit.grader import course, local
from nnkit.grader.errors import WorkspaceError


@pytest.fixture
def folder(tmp_path, small_course):
    """A student's folder with the file of section 13 in it."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "small.py").write_text("import helper\ndef double(x): return helper.twice(x)\n")
    (tmp_path / "work" / "helper.py").write_text("def twice(x): return 2 * x\n")
    return tmp_path / "work"


def test_helper_files_beside_the_file_come_along(folder):
    """Suites, other sections' files, hidden files, folders and files of no importable name do not"""
    for name in ("test_small.py", "conftest.py", "__init__.py", "my-notes.py", "not_python.txt"):
        (folder / name).write_text("x = 1\n")
    (folder / "folder.py").mkdir()

    assert sorted(local.read_sources(folder / "small.py")) == ["helper.py", "small.py"]


@pytest.mark.parametrize("library", ["numpy", "random", "torch", "dataclasses", "pytest", "nnkit"])
def test_a_file_with_the_name_of_a_library_replaces_nothing(folder, library):
    """`import random` means Python's own, in the student's file and in everything else of the process"""
    (folder / f"{library}.py").write_text("raise RuntimeError('the wrong one')\n")
    before = sys.modules.get(library)
    (folder / "small.py").write_text("import random\nimport numpy as np\ndef double(x): return np.asarray(x) * 2\n")
    subject = local.subject_of(folder / "small.py", course.section("13"))

    assert f"{library}.py" not in local.read_sources(folder / "small.py")
    assert subject.student.double(np.ones(2)).tolist() == [2.0, 2.0]
    assert sys.modules.get(library) is before


def test_a_file_with_the_name_of_an_installed_module_is_the_students_alone(folder):
    """The student's file imports its own, everybody else in the process keeps the installed one"""
    import pluggy

    (folder / "pluggy.py").write_text("def twice(x): return 3 * x\n")
    (folder / "small.py").write_text("import pluggy\ndef double(x): return pluggy.twice(x)\n")
    subject = local.subject_of(folder / "small.py", course.section("13"))

    assert subject.student.double(2) == 6
    assert sys.modules["pluggy"] is pluggy


def test_two_folders_have_helpers_of_their_own(folder, tmp_path):
    """The second student's helper does not take the first one's place"""
    other = tmp_path / "other"
    other.mkdir()
    (other / "small.py").write_text((folder / "small.py").read_text())
    (other / "helper.py").write_text("def twice(x): return 20 * x\n")
    first, second = (local.subject_of(each / "small.py", course.section("13")).student for each in (folder, other))

    assert [first.double(1), second.double(1), first.double(1)] == [2, 20, 2]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: (path.unlink(), path.mkdir()), "a folder"),
        (lambda path: path.write_bytes(b"#" * (3 << 20)), "has 3 MiB; at most 1 MiB are read"),
    ],
    ids=["missing", "folder", "large"],
)
def test_a_file_that_cannot_be_read_is_told(folder, make, says):
    """In one sentence that names the file"""
    make(folder / "small.py")

    with pytest.raises(WorkspaceError, match=rf"small\.py.* {says}"):
        local.read_sources(folder / "small.py")
