"""A folder of submissions is graded: every one to its own end, whatever dies on the way, and nothing is left running."""

import csv
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

from nnkit.grader import course, grade, grading, subjects
from nnkit.grader.errors import AskedWrongly, OurFault
from nnkit.grader.exchange import plain
from nnkit.grader.processes import Zygote
from nnkit.grader.results import State
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.seeds import Seeds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")

STATES = set(get_args(State))
OS = 'import collections\n_os = collections._sys.modules["os"]\n'
SEEDS = Seeds(b"for tests only")
PATIENCE = 60  # seconds until a test gives up waiting for what must happen


def handed_in(folder: Path, who: str, text: str, name: str = "small.py") -> None:
    """Put a file into a student's folder."""
    (folder / who).mkdir(parents=True, exist_ok=True)
    (folder / who / name).write_text(text, encoding="utf-8")


def plain_result(result) -> dict:
    """A result without how long it took."""
    tree = asdict(result)
    for part in (tree, *tree["tests"]):
        del part["seconds"]
    return tree


def section_of(small_course, number: int, slug: str) -> None:
    """Copy the small section as another one."""
    for part in ("exercises", "solutions"):
        folder = small_course.root / part / f"s{number:02}_{slug}"
        shutil.copytree(small_course.root / part / "s13_small", folder)
        for path in list(folder.glob("*small.py")):
            path.rename(folder / path.name.replace("small", slug))
        hidden = folder / "test_hidden.py"
        if hidden.exists():
            hidden.write_text(hidden.read_text().replace('"13.', f'"{number}.'))


@pytest.fixture
def reference(small_course) -> str:
    return small_course.reference.read_text("utf-8")


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "submissions"
    path.mkdir()
    return path


@pytest.fixture
def three(folder, reference) -> Path:
    """Ada is right, Grace made a mistake, Alan has not begun."""
    handed_in(folder, "ada", reference)
    handed_in(folder, "grace", reference.replace("return 2.0 * x", "return 3.0 * x"))
    handed_in(folder, "alan", reference.replace("return 2.0 * x", "raise NotImplementedError"))
    return folder


def spoil(small_course, text: str) -> None:
    """Let a hidden test do something before it tests: it runs in the grading process, which a student never does."""
    small_course.replace(
        small_course.hidden,
        '    """double of random numbers is twice as much"""\n',
        f'    """double of random numbers is twice as much"""\n    from pathlib import Path\n    import os, signal\n\n    {text}\n',
    )


def test_what_mistakes_and_the_reference_print_nobody_hears(small_course, three, capfd):
    """Not while expected values are made, nor while a failure is compared with the catalogue: --json is one document"""
    small_course.make_loud()
    small_course.replace(
        small_course.hidden, "def test_double(student, rng, shape):", "def test_double(student, rng, shape, reference):"
    )
    small_course.replace(small_course.hidden, "student.double(x), x + x,", "student.double(x), reference.double(x),")

    found = grading.grade(plain.read(three, course.sections()).submissions, course.sections(), SEEDS, jobs=1)

    assert "You tripled." in {test.diagnosis for result in found for test in result.tests}
    assert capfd.readouterr() == ("", "")


# Every state


BAD = {
    "alan-refused": "from scipy import special\n\n\ndef double(x):\n    return special.expit(x)\n",
    "alan-import": "import numpy as np\n\nraise ValueError('not yet')\n",
    "alan-timeout": "SLOPE:while True:\n        pass",
    "alan-timeout-import": "while True:\n    pass\n",
    "alan-memory": "SLOPE:return np.ones(2**40)",
    "alan-memory-import": "import numpy as np\n\nx = np.ones(2**40)\n",
    "alan-killed": f"{OS}SLOPE:_os.kill(_os.getpid(), 9)",
    "alan-crashed": f"{OS}SLOPE:_os.abort()",
    "alan-left": f"{OS}SLOPE:_os._exit(0)",
    "alan-nonsense": f"{OS}SLOPE:_os.write(3, bytes(range(200)))",
    "alan-unknown": "SLOPE:return 13.13",
}


def bad(reference: str, text: str) -> str:
    head, found, slope = text.partition("SLOPE:")
    old = "    above, below = f(x + h), f(x - h)\n    return (above - below) / (2 * h)\n"
    assert old in reference
    return head + reference.replace(old, f"    {slope}\n") if found else text


@pytest.fixture(scope="module")
def everybody(tmp_path_factory, small_course_at):
    """One class with every way to go wrong, graded twice: in order by one process, and shuffled by two."""
    root = tmp_path_factory.mktemp("everybody")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNKIT_COURSE", str(root / "course"))
        patch.setattr(subjects, "TEST_CPU", 0.5)
        patch.setattr(subjects, "WALL_FACTOR", 100.0)  # what is busy beside this test must not decide it
        made = small_course_at(root / "course")
        made.replace(made.exercises / "section.toml", "cpu_seconds = 1", "cpu_seconds = 0.5")
        made.replace(
            made.hidden,
            "    assert_close(student.slope(cubic",
            "    from nnkit.grader.errors import OurFault\n\n    if student.slope(cubic, x) == 13.13:\n"
            '        raise OurFault("A test of ours broke.")\n    assert_close(student.slope(cubic',
        )
        reference = made.reference.read_text("utf-8")
        handed_in(root / "class", "ada", reference)
        handed_in(root / "class", "grace", reference.replace("return 2.0 * x", "return 3.0 * x"))
        handed_in(root / "class", "alan-missing", "x = 1\n", "large.py")
        for who, text in BAD.items():
            handed_in(root / "class", who, bad(reference, text))
        handed_in(root / "class", "grace-again", reference)
        section = course.section("13")
        submissions = list(plain.read(root / "class", [section]).submissions)
        # Without isolation: in the jail no worker can kill itself.
        first = grading.grade(submissions, [section], SEEDS, jobs=1, level="none")
        random.Random(4).shuffle(submissions)
        second = grading.grade(submissions, [section], SEEDS, jobs=2, level="none")
    return {result.submission: result for result in first}, {result.submission: result for result in second}


def test_every_submission_ends_in_its_state(everybody):
    """All ten states, each for the reason that it stands for"""
    states = {who: result.state for who, result in everybody[0].items()}

    assert states == {
        "ada": "graded",
        "alan-crashed": "crashed",
        "alan-import": "import_error",
        "alan-killed": "killed",
        "alan-left": "crashed",
        "alan-memory": "out_of_memory",
        "alan-memory-import": "out_of_memory",
        "alan-missing": "missing",
        "alan-nonsense": "protocol_error",
        "alan-refused": "refused",
        "alan-timeout": "timeout",
        "alan-timeout-import": "timeout",
        "alan-unknown": "unknown",
        "grace": "graded",
        "grace-again": "graded",
    }
    assert set(states.values()) == STATES


def test_a_state_says_why(everybody):
    """One sentence for each state but "graded" itself"""
    details = {who: result.detail for who, result in everybody[0].items()}

    assert details["ada"] == details["grace"] == ""
    assert "small.py, line 1" in details["alan-refused"]
    assert details["alan-import"] == "small.py could not be imported: ValueError: not yet (line 3)"
    assert details["alan-timeout"] == "No answer after 0.5 s of processor time."
    assert details["alan-memory"].startswith("slope ran out of memory: ")
    assert details["alan-killed"] == "The system killed it, most likely because memory ran out."
    assert details["alan-crashed"] == "It ended with an abort."
    assert details["alan-left"] == "It ended its own process with exit code 0."
    assert details["alan-nonsense"]
    assert details["alan-missing"] == "There is no small.py for section 13."
    assert details["alan-unknown"] == "A test of ours broke. This is not your fault and costs no points."


def test_other_functions_keep_their_points(everybody):
    """Whatever one function does, the tests of the others earn what they are worth"""
    scores = {who: result.score for who, result in everybody[0].items() if result.state != "unknown"}
    lost = 20 * (0.2 / 3 + 0.8 / 4)  # one of three visible tests, and 1 of 4 in weight of the hidden ones

    assert scores == pytest.approx(
        {
            **dict.fromkeys(("ada", "grace-again"), 20),
            "grace": 20 - 20 * (0.2 / 3 + 0.8 / 2),
            **dict.fromkeys(
                ("alan-crashed", "alan-killed", "alan-left", "alan-memory", "alan-nonsense", "alan-timeout"), 20 - lost
            ),
            **dict.fromkeys(
                ("alan-import", "alan-missing", "alan-refused", "alan-timeout-import", "alan-memory-import"), 0
            ),
        },
        abs=1e-5,
    )


def test_every_result_has_every_test(everybody):
    """What did not run is there too, as failed, or as unknown where that is our fault"""
    for who, result in everybody[0].items():
        assert [test.name for test in result.tests] == [
            "test_double_by_hand",
            "test_slope_by_hand",
            "test_walker_by_hand",
            "test_double[shape0]",
            "test_double[shape1]",
            "test_slope",
            "test_walker",
        ], who
        assert result.max_score == 20
        statuses = {test.status for test in result.tests}
        assert statuses <= ({"passed", "failed"} if result.state != "unknown" else {"passed", "failed", "unknown"})


def test_a_mistake_is_named_in_the_grade(everybody):
    """Grace's failed tests say what she did"""
    said = {test.name: test.diagnosis for test in everybody[0]["grace"].tests}

    assert {name for name, text in said.items() if text == "You tripled."} == {
        "test_double_by_hand",
        "test_double[shape0]",
        "test_double[shape1]",
    }


def test_neither_order_nor_neighbours_nor_jobs_matter(everybody):
    """Shuffled, and spread over two processes, everybody has the same result"""
    first, second = everybody

    assert first.keys() == second.keys()
    for who, result in first.items():
        assert plain_result(result) == plain_result(second[who]), who


def test_a_loop_costs_little_and_no_other_points(small_course, folder, reference, monkeypatch):
    """With thirty tests of a function that loops, the others still earn theirs within the submission's budget"""
    monkeypatch.setattr(subjects, "TEST_CPU", 0.5)
    monkeypatch.setattr(subjects, "AFTER_TIMEOUT_CPU", 0.05)
    monkeypatch.setattr(subjects, "WALL_FACTOR", 100.0)
    small_course.replace(small_course.exercises / "section.toml", "cpu_seconds = 1", "cpu_seconds = 0.5")
    small_course.replace(small_course.hidden, "[(3,), (4, 4)]", "[(size,) for size in range(1, 31)]")
    handed_in(folder, "alan", reference.replace("    return 2.0 * x", "    while True:\n        pass"))

    (result,) = grading.grade(plain.read(folder, course.sections()).submissions, course.sections(), SEEDS, jobs=1)

    assert result.state == "timeout"
    passed = [test.name for test in result.tests if test.status == "passed"]
    assert passed == ["test_slope_by_hand", "test_walker_by_hand", "test_slope", "test_walker"]


@pytest.mark.parametrize("number", ["12", "13"])
def test_a_real_section_bounds_a_loop_to_fifteen_seconds(number, monkeypatch):
    """Five seconds for the first loop, 0.3 for each further one: every test of one in three functions looping"""
    monkeypatch.delenv("NNKIT_COURSE", raising=False)
    budget = subjects.budget_for(course.section(number))

    assert budget.per_question.cpu + 30 * budget.after_first_timeout.cpu <= 15
    assert budget.cpu <= 20
    assert budget.after_first_timeout.wall >= 10


# Whose suites


def test_a_section_is_one_session_for_all(small_course, three, tmp_path):
    """The suites are read once, however many submissions and jobs there are; several sections in one run"""
    section_of(small_course, 14, "other")
    for who in ("ada", "grace"):
        shutil.copy(three / who / "small.py", three / who / "other.py")
    log = tmp_path / "log"
    for number, slug in (("13", "small"), ("14", "other")):
        hidden = small_course.root / "solutions" / f"s{number}_{slug}" / "test_hidden.py"
        hidden.write_text(
            f"{hidden.read_text()}\n\nwith open({str(log)!r}, 'a') as _file:\n    _file.write('{number} ')\n"
        )

    found = grading.grade(plain.read(three, course.sections()).submissions, course.sections(), SEEDS, jobs=2)

    assert log.read_text() == "13 14 "
    assert [(result.section, result.submission, result.state) for result in found] == [
        ("13", "ada", "graded"),
        ("13", "alan", "graded"),
        ("13", "grace", "graded"),
        ("14", "ada", "graded"),
        ("14", "alan", "missing"),
        ("14", "grace", "graded"),
    ]


def test_the_suites_are_the_courses_own(small_course, folder, reference, tmp_path):
    """Tests that a student hands in are not looked at, wherever they lie and whatever they are called"""
    wrong = reference.replace("return 2.0 * x", "return 3.0 * x")
    handed_in(folder, "ada", wrong)
    trap = f"from pathlib import Path\nPath({str(tmp_path / 'sprung')!r}).touch()\n\n\ndef test_double():\n    pass\n"
    handed_in(folder, "grace", wrong)
    for name in ("test_small.py", "test_hidden.py", "conftest.py", "pytest.ini", "mistakes.py"):
        handed_in(folder, "grace", trap, name)
    section = course.section("13")

    ada, grace = grading.grade(plain.read(folder, [section]).submissions, [section], SEEDS, jobs=1)

    assert {**plain_result(grace), "submission": "ada"} == plain_result(ada)
    assert not (tmp_path / "sprung").exists()


def test_hidden_inputs_come_from_the_secret(small_course, three):
    """Another secret, other inputs; visible tests keep theirs"""
    log = three.parent / "log"
    spoil(small_course, f"with open({str(log)!r}, 'a') as file: file.write(f'{{rng.integers(1 << 40)}}\\n')")
    small_course.replace(
        small_course.visible,
        '"""double of 1.5 and -2 is 3 and -4"""\n',
        f'"""double of 1.5 and -2 is 3 and -4"""\n    with open({str(log)!r}, "a") as file: file.write("visible\\n")\n',
    )
    section = course.section("13")
    submissions = plain.read(three, [section]).submissions[:1]

    drawn = []
    for seeds in (SEEDS, Seeds(b"another one"), SEEDS):
        log.unlink(missing_ok=True)
        grading.grade(submissions, [section], seeds, jobs=1)
        drawn.append(log.read_text().split())

    assert drawn[0] == drawn[2] != drawn[1]
    assert len(set(drawn[0] + drawn[1])) == 5, "two shapes times two secrets, and the word"


# Whatever dies


def processes_of(session: int) -> list[int]:
    """Every process of a session, which is what a zygote and its workers are."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[3]) == session and words[0] != "Z":
            found.append(int(path.parent.name))
    return found


def await_end(pids: list[int]) -> None:
    """Wait until processes that are not our children have ended."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        assert waiting.poll(PATIENCE * 1000), f"process {pid} is left"
        os.close(handle)


@pytest.fixture
def zygotes(tmp_path, monkeypatch):
    """Notes the process number of every zygote in a file, where a suite can read it; at the end none is left."""
    noted = tmp_path / "zygotes"
    noted.touch()
    start = Zygote.__init__

    def note(self, *arguments, **options):
        start(self, *arguments, **options)
        with noted.open("a") as file:
            file.write(f"{self.pid}\n")

    monkeypatch.setattr(Zygote, "__init__", note)
    yield noted
    for pid in map(int, noted.read_text().split()):
        await_end(processes_of(pid))
        assert processes_of(pid) == []


def log_of(small_course, log: Path) -> None:
    """Let the suite note whom it tests, by a result only they give."""
    spoil(
        small_course, f"with open({str(log)!r}, 'a') as file: file.write(f'{{float(student.double(np.array(1.0)))}} ')"
    )


def test_a_worker_that_was_ordered_is_taken(small_course, zygotes):
    """The news of the next worker arrives while the last one's end is awaited, and is kept"""
    zygote = Zygote(torch=False)
    client = zygote.client()
    try:
        ceilings = Ceilings(1 << 30, 10)
        first = client.fork(ceilings)
        client.order(ceilings)
        first.end()
        second = client.fork(ceilings)
        third = client.fork(Ceilings(1 << 30, 20))
        assert len({first.pid, second.pid, third.pid}) == 3
        second.end()
        third.end()
    finally:
        client.close()
        zygote.close()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_session_costs_nobody_anything(small_course, three, tmp_path, zygotes, jobs):
    """Whom it had in hand is graded again, whom it had done is kept, and the rest goes on"""
    once, log = tmp_path / "once", tmp_path / "log"
    log_of(small_course, log)
    section = course.section("13")
    submissions = plain.read(three, [section]).submissions
    undisturbed = grading.grade(submissions, [section], SEEDS, jobs=1)
    log.unlink()
    once.touch()
    small_course.replace(
        small_course.hidden,
        "    x = rng.standard_normal(shape)\n",
        f"    if student.double(np.array(1.0)) == 3.0 and Path({str(once)!r}).exists():\n"
        f"        Path({str(once)!r}).unlink()\n        os.kill(os.getpid(), signal.SIGKILL)\n    x = rng.standard_normal(shape)\n",
    )

    results = grading.grade(submissions, [section], SEEDS, jobs=jobs)

    assert not once.exists()
    assert [plain_result(result) for result in results] == [plain_result(result) for result in undisturbed]
    # Ada's two cases ran once each; Grace's first one twice, because the process died in it.
    assert sorted(log.read_text().split()) == ["2.0", "2.0", "3.0", "3.0", "3.0"]


def test_twice_killed_is_unknown(small_course, three, tmp_path, zygotes):
    """A submission at which the process ends again costs no points and is left to a person; the others are graded"""
    spoil(small_course, "if student.double(np.array(1.0)) == 3.0: os.kill(os.getpid(), signal.SIGKILL)")
    section = course.section("13")

    results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=2)

    assert [(result.submission, result.state) for result in results] == [
        ("ada", "graded"),
        ("alan", "graded"),
        ("grace", "unknown"),
    ]
    assert results[2].detail == "The grading process ended twice at it. This is not your fault and costs no points."
    assert {test.status for test in results[2].tests if test.suite == "hidden"} == {"unknown"}


@pytest.mark.parametrize("when", ["student.double(np.array(1.0))", "pass"])
def test_a_killed_zygote_is_replaced(small_course, three, tmp_path, zygotes, when):
    """Workers cannot be made any more: a new zygote, the same results, no process left"""
    section = course.section("13")
    submissions = plain.read(three, [section]).submissions
    undisturbed = grading.grade(submissions, [section], SEEDS, jobs=1)
    zygotes.write_text("")
    spoil(
        small_course,
        f"{when}\n    pids = Path({str(zygotes)!r}).read_text().split()\n"
        "    if len(pids) == 1: os.kill(int(pids[0]), signal.SIGKILL)",
    )

    results = grading.grade(submissions, [section], SEEDS, jobs=2)

    assert len(zygotes.read_text().split()) == 2
    assert [plain_result(result) for result in results] == [plain_result(result) for result in undisturbed]


def test_a_zygote_that_dies_again_and_again_makes_an_unknown(small_course, three, zygotes):
    """Nobody waits for ever"""
    spoil(small_course, f"os.kill(int(Path({str(zygotes)!r}).read_text().split()[-1]), signal.SIGKILL)")
    section = course.section("13")

    results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=1)

    assert {result.state for result in results} == {"unknown"}


def test_a_zygote_that_does_not_come_up_is_said(small_course, three, monkeypatch):
    """The section is unknown, and the note says what is wrong with the machine"""

    def broken(_sections, _level):
        raise OurFault("The process that starts workers did not come up: it ended.")

    monkeypatch.setattr(grading, "zygote_for", broken)
    notes = []
    section = course.section("13")

    results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=1, noted=notes.append)

    assert {result.state for result in results} == {"unknown"}
    assert notes == ["Section 13 cannot be graded: The process that starts workers did not come up: it ended."]


# Errors of ours


def test_a_suite_that_cannot_be_collected_is_unknown_and_the_other_section_is_graded(small_course, three):
    """No zero for anybody; the instructor is told what is wrong, the students only that it is not their fault"""
    section_of(small_course, 14, "other")
    for who in ("ada", "grace"):
        shutil.copy(three / who / "small.py", three / who / "other.py")
    small_course.append(small_course.hidden, "\n\nraise KeyError('of ours')\n")
    notes = []

    results = grading.grade(
        plain.read(three, course.sections()).submissions, course.sections(), SEEDS, jobs=2, noted=notes.append
    )

    assert {(result.section, result.state) for result in results} == {
        ("13", "unknown"),
        ("14", "graded"),
        ("14", "missing"),
    }
    assert {result.detail for result in results if result.section == "13"} == {
        "The section could not be graded. This is not your fault and costs no points."
    }
    assert len(notes) == 1
    assert notes[0].startswith("Section 13 cannot be graded: The suites of s13_small cannot be collected:")
    assert "of ours" in notes[0]


def test_a_session_that_cannot_begin_ends(small_course, three, tmp_path, monkeypatch):
    """What goes wrong in a fork before it is a session process ends there, and never goes on as the command"""
    monkeypatch.setattr(grading, "SessionProcess", None)
    section, here = course.section("13"), os.getpid()
    try:
        results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=2)
    finally:
        if os.getpid() != here:
            (tmp_path / "went on").touch()
            os._exit(0)

    assert {result.state for result in results} == {"unknown"}
    assert not (tmp_path / "went on").exists()


def test_a_reference_that_raises_is_unknown(small_course, three):
    """What only the reference does wrong never becomes a zero"""
    small_course.replace(small_course.reference, "above, below = f", "raise ZeroDivisionError\n    above, below = f")
    section = course.section("13")

    results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=1)

    assert {(result.state, result.detail) for result in results} == {
        ("unknown", "The reference's slope raised ZeroDivisionError. This is not your fault and costs no points.")
    }


def test_a_reference_that_cannot_be_imported_is_unknown(small_course, three):
    """The same for a reference that is no Python"""
    small_course.reference.write_text("def (\n")
    section, notes = course.section("13"), []

    results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=1, noted=notes.append)

    assert {result.state for result in results} == {"unknown"}
    assert "small.py, line 1: invalid syntax" in notes[0]


def test_a_catalogue_that_cannot_be_read_is_unknown(small_course, three):
    """The instructor is told the line in mistakes.py"""
    small_course.append(small_course.mistakes, "\nedit('x')\n")
    section, notes = course.section("13"), []

    results = grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=1, noted=notes.append)

    assert {result.state for result in results} == {"unknown"}
    assert len(notes) == 1
    assert notes[0].startswith("Section 13 cannot be graded: ")
    assert "mistakes.py, line 22: it needs 2 names first" in notes[0]


def test_a_test_that_hangs_is_unknown(small_course, three, monkeypatch):
    """A test of ours that never ends is ended by the outer belt, and is nobody's zero"""
    monkeypatch.setattr(grading, "BELT", -grading.budget_for(course.section("13")).wall + 0.5)
    spoil(small_course, "while student.double(np.array(1.0)) == 3.0: signal.pause()")
    section = course.section("13")

    results = {
        r.submission: r for r in grading.grade(plain.read(three, [section]).submissions, [section], SEEDS, jobs=1)
    }

    assert (results["ada"].state, results["grace"].state) == ("graded", "unknown")
    assert "Timeout" in results["grace"].detail


# What is written


def graded(folder, secret, **options):
    """Grade in this process, as the command does."""
    return grade.grade_folder(folder, [], secret_file=secret, jobs=1, **options)


def test_what_is_written_is_what_was_found(three, secret, tmp_path):
    """results.jsonl has a line per result, results.json all of them as one document, grades.csv a line per student"""
    out = tmp_path / "deep" / "out"

    found = graded(three, secret, out=out)

    document = json.loads((out / "results.json").read_text("utf-8"))
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert (document["version"], document["command"]) == (1, "grade")
    assert document["results"] == json.loads(json.dumps(found.as_dicts()))
    assert sorted(lines, key=lambda line: line["submission"]) == document["results"]
    with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["submission", "13 score", "13 of", "13 state", "total", "of"]
    assert [(row[0], row[3], row[5]) for row in rows[1:]] == [
        ("ada", "graded", "20"),
        ("alan", "graded", "20"),
        ("grace", "graded", "20"),
    ]
    assert [float(row[1]) for row in rows[1:]] == pytest.approx([20, 32 / 3, 32 / 3], abs=1e-3)
    assert {row[1] == row[4] for row in rows[1:]} == {True}


def test_an_unknown_score_is_empty_in_the_table(small_course, three, secret, tmp_path):
    """A gradebook that reads the table must not take it for a zero"""
    spoil(small_course, "if student.double(np.array(1.0)) == 3.0: raise OSError('of ours')")

    found = graded(three, secret, out=tmp_path / "out")

    assert found.unknown
    with (tmp_path / "out" / "grades.csv").open(newline="") as file:
        assert list(csv.reader(file))[3] == ["grace", "", "20", "unknown", "", "20"]


@pytest.mark.parametrize("name", ["=cmd|x", "+1", "-1", "@sum", "\uff1d1", "=cmd|'/c calc'!A1"])
def test_names_are_no_formulas(folder, reference, secret, tmp_path, name):
    """A spreadsheet that opens the table computes nothing"""
    if "/" in name:
        assert grade.defused(name) == f"'{name}"
        return
    handed_in(folder, name, "def (\n")

    graded(folder, secret, out=tmp_path / "out")

    with (tmp_path / "out" / "grades.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1][0] == f"'{name}"


@pytest.mark.parametrize("name", ["results.jsonl", "results.json", "grades.csv"])
def test_nothing_is_ever_overwritten(three, secret, tmp_path, name):
    """A folder with results is refused before anything is graded"""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")

    with pytest.raises(AskedWrongly, match="holds results already; name another folder, nothing is overwritten"):
        graded(three, secret, out=tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text() == "mine"


def test_a_file_is_no_place_for_results(three, secret, tmp_path):
    """It is not said to hold results"""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(AskedWrongly, match=r"Nothing can be written to .*file: it is a file, not a folder\."):
        graded(three, secret, out=tmp_path / "file")

    assert (tmp_path / "file").read_text() == "mine"


def test_a_submission_that_cannot_be_read_adds_no_section(small_course, three, secret):
    """Sections are those that somebody handed in; the broken one is refused in them. Where nobody's can be read, in all"""
    section_of(small_course, 14, "other")
    (three / "broken.zip").write_bytes(b"no zip")

    found = grade.grade_folder(three, [], secret_file=secret, jobs=1)
    assert {result.section for result in found.results} == {"13"}
    assert [r.state for r in found.results if r.submission == "broken"] == ["refused"]

    found = grade.grade_folder(three, [], only=["broken"], secret_file=secret, jobs=1)
    assert [(result.section, result.state) for result in found.results] == [("13", "refused"), ("14", "refused")]


def test_a_new_secret_is_told(three, secret, tmp_path):
    """A misspelt --secret-file would mean other hidden inputs without a word"""
    assert graded(three, secret).notes == ()

    made = graded(three, tmp_path / "secrte")

    assert made.notes == (
        f"A new secret was made in {tmp_path / 'secrte'}: keep it, for with another one the hidden inputs are others.",
    )


def test_notes_say_once_whose_they_are(three, secret):
    """The path of the submission stands in them already"""
    (three / "ada" / "Small.PY").write_text("")

    assert graded(three, secret).notes == ("ada: Small.PY is not a .py file, and was left out.",)


def test_a_place_where_nothing_can_be_written_is_refused(three, secret, tmp_path):
    """Before anything is graded, with the reason"""
    (tmp_path / "file").write_text("")

    with pytest.raises(AskedWrongly, match=r"Nothing can be written to .*file/out: Not a directory\."):
        graded(three, secret, out=tmp_path / "file" / "out")


def test_only_and_section_choose(small_course, three, secret):
    """Students by name, sections by number; others are not even started"""
    section_of(small_course, 14, "other")

    found = grade.grade_folder(three, ["14", "13"], only=["grace"], secret_file=secret, jobs=1)

    assert [(result.submission, result.section, result.state) for result in found.results] == [
        ("grace", "14", "missing"),
        ("grace", "13", "graded"),
    ]
    with pytest.raises(AskedWrongly, match=r"There is no submission of 'alonzo'; there are ada, alan, grace\."):
        grade.grade_folder(three, ["13"], only=["ada", "alonzo"], secret_file=secret, jobs=1)
    with pytest.raises(AskedWrongly, match="There is no section 15"):
        grade.grade_folder(three, ["15"], secret_file=secret, jobs=1)
    with pytest.raises(AskedWrongly, match="--jobs is -1"):
        grade.grade_folder(three, ["13"], secret_file=secret, jobs=-1)


def test_progress_counts_every_result(three, secret):
    """From one to all of them"""
    heard = []

    graded(three, secret, progress=lambda done, total: heard.append((done, total)))

    assert heard == [(1, 3), (2, 3), (3, 3)]


# The command


@pytest.fixture
def command(small_course, tmp_path, secret):
    """Starts `nnkit grade` as a person does, at the head of a process group of its own."""
    with ExitStack() as stack:

        def start(folder, *arguments, secret_file=secret, **options):
            process = subprocess.Popen(
                [sys.executable, "-m", "nnkit.cli", "grade", str(folder), "--jobs", "1", *arguments]
                + (["--secret-file", str(secret_file)] if secret_file else []),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "COLUMNS": "100"},
                process_group=0,
                **options,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def ended(process) -> tuple[int, str, str]:
    """What a command said, and its exit code."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_the_command_grades(three, command, tmp_path):
    """A line per submission; a class in which some fail is no failure of the command"""
    code, out, err = ended(command(three, "--out", str(tmp_path / "out")))

    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert lines["ada"] == ["13", "graded", "20", "20", "7/7"]
    assert lines["grace"][:2] == ["13", "graded"]
    assert "3 results: 3 graded" in out
    assert f"Written to {tmp_path / 'out'}." in out


def test_json_is_one_document(three, command):
    """Nothing else on standard output"""
    code, out, _err = ended(command(three, "--json", "--only", "ada"))

    document = json.loads(out)
    assert (code, document["version"], document["command"]) == (0, 1, "grade")
    (result,) = document["results"]
    assert (result["submission"], result["section"], result["state"], result["score"]) == ("ada", "13", "graded", 20)


def test_an_unknown_result_is_exit_code_3(small_course, three, command):
    """Something of ours went wrong: the command says so, and names what"""
    small_course.append(small_course.hidden, "\n\nraise KeyError('of ours')\n")

    code, out, err = ended(command(three))
    assert (code, err) == (3, "")
    assert "3 results: 3 unknown" in out
    assert "Section 13 cannot be graded" in out

    code, out, err = ended(command(three, "--json"))
    assert code == 3
    assert {result["state"] for result in json.loads(out)["results"]} == {"unknown"}
    assert err.startswith("Note: Section 13 cannot be graded")


def test_the_secret_is_made_kept_and_never_shown(three, command, tmp_path):
    """Mode 0600 from the start, used again the second time, in no output and in no file that is written"""
    outputs = [ended(command(three, "--out", str(tmp_path / name), secret_file=None)) for name in ("one", "two")]

    secret = tmp_path / "data" / "nnkit" / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    text = secret.read_text().strip()
    assert len(text) == 64
    for code, out, err in outputs:
        assert code == 0
        assert text not in out + err
        assert f"secret {Seeds(text.encode()).digest()}" in out
    for path in [*(tmp_path / "one").iterdir(), *(tmp_path / "two").iterdir()]:
        assert text not in path.read_text()


def test_a_secret_that_others_may_read_is_refused(three, command, secret):
    """Exit code 2, and the command that puts it right"""
    secret.chmod(0o640)

    code, out, err = ended(command(three))

    assert (code, out) == (2, "")
    assert err == f"The course's secret at {secret} may be read by others: run `chmod 600 {secret}` first.\n"


@pytest.fixture
def halfway(small_course, folder, reference, tmp_path):
    """A class of four; the suite stops at the third student and says so through a pipe."""
    for who in ("ada", "alan", "grace", "grace-again"):
        handed_in(folder, who, reference)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    spoil(
        small_course,
        "globals()['_asked'] = globals().get('_asked', 0) + 1\n    if _asked == 5:\n"
        f"        with open({str(pipe)!r}, 'w') as file: file.write(f'{{os.getppid()}} {{os.getpid()}}')\n"
        "        signal.pause()",
    )

    def wait() -> tuple[list[int], list[int]]:
        """Wait for the third student; return the command's processes and the zygote's."""
        grader, _session = map(int, pipe.read_text().split())
        children = [int(pid) for pid in Path(f"/proc/{grader}/task/{grader}/children").read_text().split()]
        zygotes = [pid for pid in children if os.getsid(pid) == pid]
        return [pid for pid in children if pid not in zygotes], [p for z in zygotes for p in processes_of(z)]

    return folder, wait


def test_a_killed_command_keeps_what_was_done_and_leaves_nothing(halfway, command, tmp_path):
    """results.jsonl holds the two that were done, each whole; session, zygote and workers end with the command"""
    folder, wait = halfway
    process = command(folder, "--out", str(tmp_path / "out"))
    sessions, workers = wait()
    assert len(sessions) == 1
    assert len(workers) >= 2, "the zygote and at least one worker"

    process.kill()
    process.wait(PATIENCE)

    await_end(sessions + workers)
    lines = (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["submission"] for line in lines] == ["ada", "alan"]
    assert not (tmp_path / "out" / "results.json").exists()


def test_ctrl_c_stops_everything(halfway, command, tmp_path):
    """As in a terminal, where every process of the group hears it: exit code 130, one word, nothing left"""
    folder, wait = halfway
    process = command(folder, "--out", str(tmp_path / "out"))
    sessions, workers = wait()

    os.killpg(process.pid, signal.SIGINT)

    kept = tmp_path / "out" / "results.jsonl"
    assert ended(process) == (130, "", f"Stopped. 2 of 4 results stand in {kept}; the rest is to be graded again.\n")
    await_end(sessions + workers)
    assert len(kept.read_text().splitlines()) == 2


def test_ctrl_c_without_a_place_for_results(halfway, command):
    """What is lost is said, and how to keep it the next time"""
    folder, wait = halfway
    process = command(folder)
    wait()

    os.killpg(process.pid, signal.SIGINT)

    assert ended(process) == (130, "", "Stopped. 2 of 4 results are lost: only --out DIR keeps them as they come.\n")


def limited(size: int):
    """Let a process write no file longer than this: as when the disk is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_one_sentence_and_loses_nothing(three, command, secret, tmp_path):
    """What was graded before stands in results.jsonl, and no half line behind it"""
    graded(three, secret, out=tmp_path / "whole")
    lines = (tmp_path / "whole" / "results.jsonl").read_bytes().splitlines(keepends=True)
    room = len(lines[0] + lines[1]) + 500

    code, out, err = ended(command(three, "--out", str(tmp_path / "out"), preexec_fn=limited(room)))

    assert (code, out) == (3, "")
    assert err == (
        f"{tmp_path / 'out' / 'results.jsonl'} cannot be written (File too large); what was graded before stands in it, "
        "the rest is to be graded again.\n"
    )
    kept = (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["submission"] for line in kept] == ["ada", "alan"]


def test_a_disk_that_is_full_at_the_end_keeps_the_lines(three, command, secret, tmp_path):
    """results.json is not left half written, and the sentence says where everything stands"""
    graded(three, secret, out=tmp_path / "whole")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "whole").iterdir()}
    room = (sizes["results.jsonl"] + sizes["results.json"]) // 2
    assert sizes["results.jsonl"] + 100 < room < sizes["results.json"]

    code, out, err = ended(command(three, "--out", str(tmp_path / "out"), preexec_fn=limited(room)))

    assert (code, out) == (3, "")
    assert err == (
        f"{tmp_path / 'out' / 'results.json'} cannot be written (File too large); all results stand in "
        f"{tmp_path / 'out' / 'results.jsonl'}.\n"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.jsonl"]
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 3
