"""The proof is green for a section in order and red, with the right sentence, for each way of being out of order."""

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest

from nnkit import cli
from nnkit.grader import course, release, validate
from nnkit.grader.errors import AskedWrongly
from nnkit.grader.mistakes import Mistake
from nnkit.grader.validate import Finding, Proof, Task, prove

LOCAL, GRADED = Task("13", "local", 1, brief=False), Task("13", "graded", 1, brief=False)


@pytest.fixture
def prove_it(small_course):
    """Proves the small section as it now is; returns what is red, with its sentence."""
    release.write_wrong_outputs(course.section("13"))

    def prove_it(task: Task = LOCAL, *, fresh: bool = True) -> dict[str, str]:
        if fresh:
            release.write_wrong_outputs(course.section("13"))
        proof = prove(task)
        red = {f"{finding.what} {finding.name}": finding.detail for finding in proof.findings if not finding.ok}
        assert proof.ok == (not red)
        assert all(red.values()), "whatever is red says why"
        return red

    return prove_it


def add_mistake(small_course, text: str) -> None:
    small_course.append(small_course.mistakes, f"\n\n{text}\n")


@pytest.mark.parametrize("task", [LOCAL, GRADED, Task("13", "local", 3, brief=True)], ids=["local", "graded", "brief"])
def test_a_section_in_order_is_green(prove_it, task):
    """Every finding holds, in both modes"""
    assert prove_it(task) == {}


@pytest.mark.parametrize("task", [LOCAL, GRADED], ids=["local", "graded"])
def test_what_mistakes_and_the_reference_print_nobody_hears(small_course, prove_it, capfd, task):
    """Neither stream gets a word of it, so that the terminal shows the proof and --json is one document"""
    small_course.make_loud()

    assert prove_it(task) == {}
    assert capfd.readouterr() == ("", "")


def test_what_was_proved_is_counted(small_course):
    """Reference, stub, mistakes, generic mutants and texts, with the number of tests and the time"""
    release.write_wrong_outputs(course.section("13"))
    proof = prove(LOCAL)

    assert (proof.tests, proof.count("reference"), proof.count("stub"), proof.count("mistake")) == (7, 1, 1, 3)
    assert proof.count("generic") == proof.count("generic", ok=True) >= 10
    assert {"lesson", "imports", "wrong_outputs.bin"} <= {f.name for f in proof.findings if f.what == "texts"}
    assert proof.seconds > 0
    assert proof.as_dict()["ok"] is True


def test_a_brief_proof_tries_one_mistake(small_course):
    """Reference, stub and one mistake: what continuous integration does in jailed workers"""
    proof = prove(Task("13", "graded", 1, brief=True))

    assert [(finding.what, finding.name) for finding in proof.findings] == [
        ("reference", "passes every test"),
        ("stub", "fails every test"),
        ("mistake", "tripled"),
    ]


def test_a_wrong_reference_is_red(small_course, prove_it):
    """A reference that fails a test is told with the test and its message"""
    small_course.replace(small_course.reference, "return 2.0 * x", "return 2.1 * x")

    assert re.match("seed 0: test_double_by_hand: ", prove_it()["reference passes every test"])


def test_a_reference_that_raises_is_red(small_course, prove_it):
    """Also where only `reference` is asked"""
    small_course.replace(small_course.reference, "above, below =", "raise RuntimeError('no')\n    above, below =")

    assert "test_slope" in prove_it()["reference passes every test"]


@pytest.mark.parametrize("task", [LOCAL, GRADED], ids=["local", "graded"])
def test_a_stub_that_passes_a_test_is_red(small_course, prove_it, task):
    """Every single test must fail on the untouched stub; the one that does not is named"""
    small_course.append(
        small_course.hidden,
        '\n\n@number("13.H9")\ndef test_nothing(student):\n    """Nothing is asked"""\n    assert student.double\n',
    )

    assert prove_it(task)["stub fails every test"] == "not failed: test_nothing"


def test_a_mistake_that_survives_is_red(small_course, prove_it):
    """With the numbers of the tests that should have killed it, and the seed"""
    small_course.replace(small_course.mistakes, "return 3.0 * x", "return x + x")

    red = prove_it()

    assert red["mistake tripled"] == "it survives 13.H1 with seed 0"


def test_a_mistake_that_survives_some_seeds_is_red(small_course, prove_it):
    """A kill must not be luck: every seed is tried"""
    small_course.replace(small_course.mistakes, "return 3.0 * x", "return 3.0 * x if x.flat[0] > 0 else 2.0 * x")

    found = prove_it(Task("13", "local", 8, brief=False))["mistake tripled"]

    assert re.match(r"it survives 13\.H1 with seed \d", found)


def test_a_wrong_bracket_is_red(small_course, prove_it):
    """A bracket that names a test which does not kill, or which is not there, is told"""
    small_course.replace(small_course.mistakes, 'killed_by=["13.H1"]', 'killed_by=["13.H1", "13.H3"]')
    assert prove_it()["mistake tripled"] == "13.H3 do not kill it"

    small_course.replace(small_course.mistakes, '"13.H1", "13.H3"', '"13.H1", "13.H7"')
    assert prove_it()["mistake tripled"] == "it names tests that there are not: 13.H7"


def test_two_mistakes_that_look_alike_are_red(small_course, prove_it):
    """Neither can be named, and both say so"""
    add_mistake(
        small_course,
        '@mistake("double", says="You added twice.", killed_by=["13.H1"])\ndef added(x):\n    return x + x + x',
    )
    sentence = "no failing test names it; tell it apart, or say not_nameable=..."

    red = prove_it()

    assert (red["mistake tripled"], red["mistake added"]) == (sentence, sentence)


@pytest.mark.parametrize(
    ("killers", "names", "survived", "reason", "sentence"),
    [
        ({"13.H1"}, {"Mine."}, [], None, ""),
        ({"13.H1"}, {"Mine.", "Other."}, [], None, "it is taken for another: Other."),
        ({"13.H1"}, {"Other."}, [], None, "it is taken for another: Other."),
        ({"13.H1"}, set(), [], None, "no failing test names it; tell it apart, or say not_nameable=..."),
        ({"13.H2"}, {"Mine."}, [], None, "13.H1 do not kill it"),
        (set(), set(), [0, 3], None, "it survives 13.H1 with seed 0, 3"),
        (set(), {"Other."}, [0], None, "it survives 13.H1 with seed 0; it is taken for another: Other."),
        ({"13.H1"}, set(), [], "too alike", ""),
        ({"13.H1"}, {"Other."}, [], "too alike", "it says that it cannot be named, but it is"),
    ],
)
def test_a_mistake_is_judged_by_who_kills_it_and_what_names_it(killers, names, survived, reason, sentence):
    """Killed by all of its bracket, named by its own sentence and by no other, or by none where it says so"""
    wrong = Mistake("mine", "double", "Mine.", ("13.H1",), reason, 1, "")

    found = validate._judged(wrong, killers, names, survived)

    assert (found.what, found.name, found.detail, found.ok) == ("mistake", "mine", sentence, not sentence)


def test_a_generic_mutant_that_survives_is_red(small_course, prove_it):
    """A suite that overlooks what goes wrong in any section is told which mutant it let through"""
    small_course.replace(small_course.hidden, "[(3,), (4, 4)]", "[(3,), (1, 5)]")

    assert prove_it() == {}, "nothing to transpose: the mutant is the reference"

    small_course.replace(
        small_course.hidden,
        "assert_close(student.double(x), x + x, rtol=1e-12)",
        "assert_close(student.double(x), x + x, rtol=1e-3)",
    )
    assert prove_it()["generic float32_only of double"] == (
        "it survives, though test_double[shape0] sees other answers than the reference's"
    )


def test_texts_are_part_of_the_proof(small_course, prove_it):
    """What inspection finds is red, under its name"""
    small_course.replace(small_course.stub, "x: float, h", "x: int, h")
    small_course.replace(small_course.exercises / "README.md", "## Sources", "## Ends")
    small_course.replace(small_course.hidden, "import pytest\n", "import pytest\n\nif not pytest:\n    import torch\n")

    assert set(prove_it()) == {"texts names and signatures", "texts lesson", "texts imports"}


def test_a_leak_of_the_solutions_text_is_red(small_course, prove_it):
    """A line of the reference in the lesson"""
    small_course.append(small_course.exercises / "README.md", "\nself.velocity = self.velocity + self.lr * grad\n")

    assert prove_it() == {"texts no solution in exercises/": "README.md holds line 29 of the reference"}


def test_stale_wrong_outputs_are_red(small_course, prove_it):
    """What is shipped must be what would be made now; the sentence says how to make it"""
    small_course.replace(small_course.mistakes, "You tripled.", "Tripled!")
    assert prove_it(fresh=False) == {
        "texts wrong_outputs.bin": "it is not what the mistakes answer now: nnkit validate --write-wrong-outputs"
    }

    course.section("13").wrong_outputs.write_bytes(b"damaged")
    assert set(prove_it(fresh=False)) == {"texts wrong_outputs.bin"}


@pytest.mark.parametrize("suite", ["visible", "hidden"])
def test_zero_tests_are_red(small_course, prove_it, suite):
    """A suite without a test proves nothing"""
    getattr(small_course, suite).write_text('"""No tests."""\n')

    assert prove_it(fresh=False)[f"course {suite} suite"] == "there is no test in it"


def test_no_test_at_all_is_red(small_course, prove_it):
    """Both suites empty"""
    small_course.visible.write_text('"""No tests."""\n')
    small_course.hidden.write_text('"""No tests."""\n')

    assert prove_it(fresh=False)["course s13_small"].endswith("there is no test in it.")


def test_zero_mistakes_are_red(small_course, prove_it):
    """An empty catalogue would make any suite look sharp"""
    small_course.mistakes.write_text('"""None."""\n')

    assert prove_it() == {"mistake catalogue": "mistakes.py states no mistake"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("mistakes", b'from nnkit.grader.mistakes import mistake\n@mistake("no", says="x", killed_by=["1"])\ndef f(): ...', "the reference defines no 'no'"),
        ("mistakes", b"def (", "mistakes.py, line 1: invalid syntax"),
        ("mistakes", b"\xff\xfe", "can't decode"),
        ("mistakes", None, "No such file"),
        ("reference", b"def (", "invalid syntax"),
        ("reference", None, "No such file"),
        ("stub", b"def (", "invalid syntax"),
        ("stub", b"\0", "null bytes"),
        ("stub", None, "No such file"),
        ("hidden", b"import nothing_of_the_kind\n", "No module named 'nothing_of_the_kind'"),
        ("hidden", b"def test_(student):\n    x = (\n", "cannot be collected"),
        ("hidden", None, "is not there; every section has one."),
        ("visible", None, "is not there; every section has one."),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_red(small_course, prove_it, name, content, sentence):
    """A file of ours that is missing, no Python or not UTF-8 is a finding, not a crash"""
    path = getattr(small_course, name)
    path.unlink() if content is None else path.write_bytes(content)

    red = prove_it(fresh=False)

    assert sentence in red["course s13_small"]


# Which work there is


def test_the_work_is_spread_over_modes(small_course):
    """By default all of it here and a sample in jailed workers"""
    sections = course.sections()

    assert validate.tasks(sections, None, 1) == [LOCAL, Task("13", "graded", 1, brief=True)]
    assert validate.tasks(sections, "both", 20) == [Task("13", mode, 20, brief=False) for mode in ("local", "graded")]
    assert validate.tasks(sections, "local", 1) == [LOCAL]


@pytest.mark.parametrize(
    ("mode", "seeds", "sentence"), [("remote", 1, "There is no mode 'remote'"), (None, 0, "--seeds is 0")]
)
def test_work_that_makes_no_sense_is_refused(small_course, mode, seeds, sentence):
    """An unknown mode, or seeds that prove nothing"""
    with pytest.raises(AskedWrongly, match=sentence):
        validate.tasks(course.sections(), mode, seeds)


# What was proved before


@pytest.fixture
def proved(small_course, tmp_path, monkeypatch):
    """A cache with one green proof in it. What is proved now is counted, and is not worth the time it takes."""
    cache, counted = tmp_path / "cache", []

    def prove(task):
        counted.append(task)
        return Proof(task.section, task.mode, task.seeds, 7, 0.1, (Finding("stub", "fails", ok=again.green),))

    class Here:
        def __init__(self, **_options):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_error):
            pass

        def submit(self, function, task):
            future = Future()
            future.set_result(function(task))
            return future

    monkeypatch.setattr(validate, "ProcessPoolExecutor", Here)

    def again(task: Task = LOCAL, folder=cache):
        """Prove through the cache; return the proof and whether it was proved anew."""
        before = len(counted)
        (proof,) = validate.prove_all([task], 1, lambda _proof: None, folder)
        return proof, len(counted) > before

    monkeypatch.setattr(validate, "prove", prove)
    again.cache, again.green = cache, True
    again.once, _ = again()
    return again


def test_what_was_proved_is_not_proved_again(proved):
    """The same files, the same task: the earlier proof as it was"""
    assert proved() == (proved.once, False)


@pytest.mark.parametrize(
    "task", [Task("13", "local", 2, brief=True), Task("13", "graded", 1, brief=True)], ids=["seeds", "mode"]
)
def test_another_task_is_another_proof(proved, task):
    """Other seeds, another mode: nothing is taken over, and each is kept beside the other"""
    assert proved(task)[1]
    assert not proved(task)[1]
    assert not proved()[1]


def test_without_a_cache_everything_is_proved(proved):
    """`--again` looks at no earlier proof"""
    assert proved(folder=None)[1]


@pytest.mark.parametrize(
    "path",
    [
        "exercises/s13_small/section.toml",
        "exercises/s13_small/README.md",
        "exercises/s13_small/small.py",
        "exercises/s13_small/test_small.py",
        "exercises/s13_small/wrong_outputs.bin",
        "solutions/s13_small/small.py",
        "solutions/s13_small/test_hidden.py",
        "solutions/s13_small/mistakes.py",
    ],
)
def test_any_changed_file_is_another_proof(small_course, path):
    """One byte in any file of the section changes the digest under which a proof is kept"""
    release.write_wrong_outputs(course.section("13"))
    before = validate.digest(LOCAL)
    with (small_course.root / path).open("ab") as file:
        file.write(b"\n")

    assert validate.digest(LOCAL) != before


def test_a_new_or_renamed_file_is_another_proof(small_course):
    """The names count, not only what is in them"""
    release.write_wrong_outputs(course.section("13"))
    before = validate.digest(LOCAL)
    helper = small_course.exercises / "helper.py"
    helper.write_text("x = 1\n")
    with_helper = validate.digest(LOCAL)
    helper.rename(small_course.exercises / "helping.py")

    assert len({before, with_helper, validate.digest(LOCAL)}) == 3


def test_the_grader_itself_is_part_of_what_a_proof_rests_on(small_course, monkeypatch, tmp_path):
    """Another grader, another digest"""
    before = validate.digest(LOCAL)
    (tmp_path / "grader").mkdir()
    (tmp_path / "grader" / "validate.py").write_text("x = 1\n")
    monkeypatch.setattr(validate, "__file__", str(tmp_path / "grader" / "validate.py"))

    assert validate.digest(LOCAL) != before


def test_a_red_proof_is_not_kept(small_course, proved):
    """After a change the earlier proof is not looked at; what is red is proved again until it is green"""
    small_course.append(small_course.mistakes, "\n")
    proved.green = False
    assert [(proof.ok, anew) for proof, anew in (proved(), proved())] == [(False, True)] * 2

    proved.green = True
    assert [(proof.ok, anew) for proof, anew in (proved(), proved())] == [(True, True), (True, False)]


def _not_ok(text: str) -> str:
    tree = json.loads(text)
    tree["findings"][0]["ok"] = False
    return json.dumps(tree)


def _without(text: str, name: str) -> str:
    tree = json.loads(text)
    del tree[name]
    return json.dumps(tree)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: "{}",
        lambda text: text.replace('"13"', '"14"', 1),
        lambda text: _without(text, "findings"),
        lambda text: _without(text, "mode"),
        _not_ok,
        lambda text: json.dumps({**json.loads(text), "findings": []}),
        lambda text: json.dumps({**json.loads(text), "findings": [1]}),
        lambda text: text.replace("}", ', "more": 1}', 1),
    ],
)
def test_a_damaged_proof_is_ignored(proved, damage):
    """It is proved again, and the damaged entry replaced"""
    (entry,) = proved.cache.iterdir()
    entry.write_text(damage(entry.read_text()))

    assert proved()[1]
    assert proved() == (proved()[0], False)


def test_a_cache_that_cannot_be_written_costs_time_only(small_course, tmp_path):
    """The proof is returned all the same"""
    (tmp_path / "file").write_text("not a folder")
    proof = Proof("13", "local", 1, 1, 0.1, (Finding("stub", "x", ok=True),))

    validate.remember(proof, tmp_path / "file" / "cache", "name")

    assert validate.recall(LOCAL, tmp_path / "file" / "cache", "name") is None


def test_a_proof_of_files_that_changed_meanwhile_is_not_kept(small_course, proved, monkeypatch):
    """What was proved is not what lies there now"""
    small_course.append(small_course.exercises / "README.md", "\nmore\n")

    prove = validate.prove

    def prove_and_change(task):
        small_course.append(small_course.exercises / "README.md", "\nand more\n")
        return prove(task)

    monkeypatch.setattr(validate, "prove", prove_and_change)
    before = set(proved.cache.iterdir())

    assert proved()[1]
    assert set(proved.cache.iterdir()) == before


# The command


@pytest.fixture
def run(small_course, capsys, monkeypatch, tmp_path):
    """`nnkit validate` in this process (its work is done in others): exit code, standard output, standard error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["nnkit", "validate", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return run


def test_the_command_proves_and_remembers(run, small_course):
    """Green is 0 with a table; the second time nothing is proved; red is 1 with the sentence; --json is one document"""
    code, out, _ = run("--write-wrong-outputs")
    assert code == 0, out
    assert "2 of 2 proofs hold." in out
    small_course.replace(small_course.mistakes, "return 3.0 * x", "return x + x")

    code, out, err = run("13", "--mode", "local", "--json")

    document = json.loads(out)
    assert (code, document["command"], len(document["results"])) == (1, "validate", 1)
    assert document["results"][0]["ok"] is False
    assert "Traceback" not in err
    code, out, _ = run("13", "--mode", "local")
    assert code == 1
    assert "section 13, local: mistake tripled" in out
    assert "it survives 13.H1 with seed 0" in out


@pytest.mark.parametrize("arguments", [("14",), ("--mode", "remote"), ("--seeds", "0"), ("--jobs", "-1")])
def test_a_wrong_question_is_one_sentence(run, arguments):
    """Exit code 2, nothing on standard output"""
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_nothing_is_left_in_the_course(run, small_course):
    """The proof writes nothing beside the files it reads"""
    before = {path for path in small_course.root.rglob("*") if "__pycache__" not in path.parts}

    run("--mode", "local", "--again")

    assert {path for path in small_course.root.rglob("*") if "__pycache__" not in path.parts} == before
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["alone", "with all it started"])
def test_ctrl_c_ends_the_proofs_too(small_course, tmp_path, kill):
    """Neither what runs goes on nor does the next proof begin"""
    pipe, begun = tmp_path / "pipe", tmp_path / "begun"
    small_course.append(
        small_course.hidden, f"\n\nwith open({str(begun)!r}, 'a') as file:\n    file.write('begun\\n')\n"
    )
    os.mkfifo(pipe)
    loop = f"open({str(pipe)!r}, 'w').close()\n    while True: pass\n    above, below ="
    small_course.replace(small_course.reference, "above, below =", loop)
    process = subprocess.Popen(
        [sys.executable, "-m", "nnkit.cli", "validate", "--mode", "both", "--jobs", "1", "--again"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        pipe.read_text()
        started = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    assert (process.returncode, out, err) == (130, "", "Stopped.\n")
    assert begun.read_text() == "begun\n"
    assert started
    assert not [pid for pid in started if Path(f"/proc/{pid}/exe").exists()]
