"""What is shipped beside the exercises: wrong answers, never code, and never older than the mistakes they come from."""

import pytest

from nnkit.grader import course, release
from nnkit.grader.diagnosis import read_shipped
from nnkit.grader.errors import OurFault
from nnkit.grader.results import PlannedTest


@pytest.fixture
def shipped(small_course):
    """The small section, with its wrong_outputs.bin just made."""
    release.write_wrong_outputs(course.section("13"))
    return course.section("13")


def test_every_nameable_mistake_is_shipped_for_the_tests_it_fails(shipped):
    """For each visible test, the sentences of the mistakes that fail it"""
    known = read_shipped(shipped.wrong_outputs)

    assert {test: [says for says, _differs, _steps in entries] for test, entries in known.items()} == {
        "test_double_by_hand": ["You tripled."],
        "test_slope_by_hand": ["Take both sides."],
        "test_walker_by_hand": ["The walker forgets its speed."],
    }


def test_the_first_wrong_answer_is_marked(shipped):
    """A walker that forgets makes its first step right: construction, method, step, then the wrong step"""
    ((_says, differs, steps),) = read_shipped(shipped.wrong_outputs)["test_walker_by_hand"]

    assert differs == len(steps) - 1 > 0


def test_no_code_is_shipped(shipped):
    """Of a mistake's source no line is in the file, nor is its name"""
    raw = shipped.wrong_outputs.read_bytes()

    for text in (b"3.0 * x", b"tripled(", b"above", b"def ", b"velocity"):
        assert text not in raw


def test_what_mistakes_print_nobody_hears(small_course, capfd):
    """Neither while it is made nor while it is compared, on either stream"""
    small_course.make_loud()
    section = course.section("13")

    release.write_wrong_outputs(section)

    assert release.is_fresh(section)
    assert capfd.readouterr() == ("", "")


def test_making_it_again_makes_the_same(shipped):
    """The file depends on nothing but the section"""
    before = shipped.wrong_outputs.read_bytes()

    release.write_wrong_outputs(shipped)

    assert shipped.wrong_outputs.read_bytes() == before
    assert release.is_fresh(shipped)


def test_no_mistake_runs_a_test_too_large_to_be_shipped(small_course, monkeypatch):
    """Where the reference's first question is over the limit, so is every mistake's"""
    monkeypatch.setattr(release, "SHIPPED_LIMIT", 10)
    visited = []
    run = release.session.run
    monkeypatch.setattr(
        release.session,
        "run",
        lambda suites, visits, **options: run(suites, visits, **options) or visited.append([v.wants for v in visits]),
    )

    assert release.wrong_outputs(course.section("13")) == {}
    planned = PlannedTest("test_double_by_hand", "", "visible", "", 1.0, 1.0, "visible")
    assert not any(wants(planned) for wants in visited[-1])


def test_a_mistake_that_cannot_be_named_goes_along_without_a_sentence(small_course):
    """Otherwise an output like it would get another mistake's name"""
    small_course.append(
        small_course.mistakes,
        '\n\n@mistake("double", says="You added twice.", killed_by=["13.H1"], not_nameable="tripled answers the same")\n'
        "def added(x):\n    return x + x + x\n",
    )
    section = course.section("13")
    release.write_wrong_outputs(section)

    assert [says for says, *_ in read_shipped(section.wrong_outputs)["test_double_by_hand"]] == ["You tripled.", ""]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("mistakes", "3.0 * x", "3.5 * x"),
        ("mistakes", "You tripled.", "Tripled!"),
        ("visible", "x**3, 2.0", "x**3, 3.0"),
        ("visible", "[1.5, -2.0])", "[1.5, -3.0])"),
        ("reference", "return 2.0 * x", "return 3.0 * x"),
    ],
)
def test_a_changed_mistake_test_or_reference_makes_it_stale(small_course, shipped, path, old, new):
    """What would be shipped now is compared with what is"""
    small_course.replace(getattr(small_course, path), old, new)

    assert not release.is_fresh(shipped)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:10],
        lambda raw: raw[:-1],
        lambda raw: b"x" + raw[1:],
        lambda raw: raw[:40] + b"\xff" * 20 + raw[60:],
        lambda raw: raw.replace(b"format", b"farmot"),
        lambda raw: b"never heard of",
    ],
)
def test_a_damaged_file_is_stale_and_says_so(shipped, damage):
    """Reading it is one sentence, and it is not taken for fresh"""
    shipped.wrong_outputs.write_bytes(damage(shipped.wrong_outputs.read_bytes()))

    assert not release.is_fresh(shipped)
    with pytest.raises(OurFault, match=r"wrong_outputs\.bin is damaged \(.*\); install nnkit again\."):
        read_shipped(shipped.wrong_outputs)


def test_a_missing_file_is_stale(small_course):
    """Nothing shipped is nothing fresh"""
    assert not release.is_fresh(course.section("13"))


def test_a_section_without_mistakes_ships_nothing(small_course):
    """An empty catalogue makes an empty file that can be read"""
    small_course.mistakes.write_text('"""None yet."""\n')
    section = course.section("13")

    release.write_wrong_outputs(section)

    assert read_shipped(section.wrong_outputs) == {}
    assert release.is_fresh(section)
