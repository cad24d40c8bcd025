"""What section 38 costs, start of the process included. Read the figures with -s; docs/performance.md quotes them."""

import sys

import pytest

from nnkit.grader import course

from .measure import cost, nnkit, submissions

pytestmark = pytest.mark.benchmark

# The hidden suite on the reference, in one process, without the real run.
SUITE = """
from nnkit.grader import course, session
from nnkit.grader.seeds import Seeds
from nnkit.grader.subjects import makers

section, failed = course.section("38"), []
with makers(section, Seeds(b"benchmark"), None) as made:
    visit = session.Visit(made.subject(made.reference_files), heard=lambda o: failed.append(o.status != "passed") is None)
    session.run([section.hidden_suite], [visit], points=1.0, keyword="not real_digits")
assert failed and not any(failed)
"""


def test_the_hidden_suite_without_the_real_run():
    """Section 38's hidden tests, all but the training on real digits, take at most 30 s of processor time"""
    suite = cost([sys.executable, "-c", SUITE])
    print(f"\nsection 38, hidden suite without the real run: {suite.cpu:.1f} s CPU, {suite.wall:.1f} s")

    assert suite.cpu <= 30


def test_a_whole_grade_on_the_digits_that_come_along(tmp_path):
    """Grading one submission, the real run on the subset included: printed, not bounded"""
    folder = submissions(tmp_path / "class", course.section("38").reference, 1)

    graded = cost(nnkit("grade", folder, "--section", "38"), NNKIT_DATA=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))

    print(f"\nsection 38, one submission graded with the subset: {graded.cpu:.1f} s CPU, {graded.wall:.1f} s")
