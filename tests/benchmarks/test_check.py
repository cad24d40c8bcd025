"""What `nnkit check` costs, as a ratio to bare pytest in one run. Read the figures with -s."""

import shutil
import statistics
import sys

import pytest

from nnkit.grader import course

from .measure import cost, nnkit

pytestmark = pytest.mark.benchmark

TESTING = "from nnkit.grader.compare import assert_close, "


def finished(folder, number):
    """A student's folder with a section solved."""
    section = course.section(number)
    own = folder / section.name
    own.mkdir()
    shutil.copy(section.reference, own)
    shutil.copy(section.visible_suite, own)
    return section, own


def in_turn(*commands, times, **options):
    """Median wall time of each command, run in turn."""
    found = [[] for _ in commands]
    for _ in range(times):
        for command, walls in zip(commands, found, strict=True):
            walls.append(cost(command, **options).wall)
    return [statistics.median(walls) for walls in found]


@pytest.mark.parametrize(("number", "most", "times"), [("13", 1.1, 10), ("37", 1.0, 10)])
def test_check_is_as_fast_as_bare_pytest(tmp_path, number, most, times):
    """`nnkit check` takes at most 1.1 times (torch: 1.0) the wall time of pytest on the same file and suite"""
    _section, own = finished(tmp_path, number)
    bare = [sys.executable, "-m", "pytest", "-q", str(own)]
    cost(bare, cwd=own)  # a first run writes what Python keeps
    plain, checked = in_turn(bare, nnkit("check", number), times=times, cwd=own)
    print(
        f"\nsection {number}: pytest {1000 * plain:.0f} ms, nnkit check {1000 * checked:.0f} ms: {checked / plain:.2f}x"
    )

    assert checked <= most * plain


def test_check_is_faster_than_torch_testing(tmp_path):
    """`nnkit check 37` takes at most 0.85 times the wall time of the same checks with torch.testing.assert_close"""
    section, own = finished(tmp_path, "37")
    twin = tmp_path / "twin"
    twin.mkdir()
    shutil.copy(section.reference, twin)
    suite = section.visible_suite.read_text("utf-8")
    assert TESTING in suite
    with_torch = """import torch


def assert_close(yours, expected, rtol=1e-7, atol=0.0, **_):
    yours, expected = torch.as_tensor(yours), torch.as_tensor(expected)
    torch.testing.assert_close(yours, expected, rtol=rtol or 1e-7, atol=atol, check_dtype=False)


from nnkit.grader.compare import """
    (twin / section.visible_suite.name).write_text(suite.replace(TESTING, with_torch), "utf-8")
    bare = [sys.executable, "-m", "pytest", "-q", str(twin)]
    cost(bare, cwd=twin, expect=(0, 1))
    plain, checked = in_turn(bare, nnkit("check", "37"), times=5, cwd=own, expect=(0, 1))
    print(
        f"\nsection 37: torch.testing {1000 * plain:.0f} ms, nnkit check {1000 * checked:.0f} ms: {checked / plain:.2f}x"
    )

    assert checked <= 0.85 * plain
