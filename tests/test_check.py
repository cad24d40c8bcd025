"""`nnkit check` through the real command: whatever a student's file does, there is an answer, and nothing is left."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from nnkit import cli
from nnkit.grader import check, course

FACTS = """\
title = "ReLU"
summary = "Implement max(0, x)."
difficulty = 2
libraries = ["numpy"]
after = [{after}]
points = 20
cpu_seconds = 0.5
forbidden = ["numpy.maximum"]
hints = ["a", "b", "c"]
"""
SUITE = '''\
"""Visible tests."""

import numpy as np
import pytest

from nnkit.grader.compare import assert_close


def test_zero(student):
    """relu(0) is 0"""
    assert_close(student.relu(0.0), 0.0)


def test_positive(student):
    """relu(2) is 2"""
    assert_close(student.relu(np.array([2.0])), np.array([2.0]))


def test_negative(student):
    """relu(-2) is 0"""
    assert_close(student.relu(np.array([-2.0])), np.array([0.0]))


@pytest.mark.parametrize("n", [1, 2])
def test_halves(student, n):
    """half of something"""
    assert_close(student.half(n), n / 2)
'''
RIGHT = """\
import numpy as np


def relu(x):
    return x * (np.asarray(x) > 0)


def half(x):
    return x / 2
"""
STUB = """\
def relu(x):
    raise NotImplementedError("section 13: write relu")


def half(x):
    raise NotImplementedError("section 13: write half")
"""
TESTS = ["test_zero", "test_positive", "test_negative", "test_halves[1]", "test_halves[2]"]


@pytest.fixture
def section(tmp_path, monkeypatch):
    """A course of two sections; the one under test is 13."""
    for name, after, suite in (("s13_relu", "", SUITE), ("s14_next", '"13"', "def test_next(student): ...\n")):
        folder = tmp_path / "course" / "exercises" / name
        folder.mkdir(parents=True)
        slug = name[4:]
        (folder / "section.toml").write_text(FACTS.format(after=after))
        (folder / "README.md").write_text("# ReLU\n")
        (folder / f"{slug}.py").write_text(STUB)
        (folder / f"test_{slug}.py").write_text(suite)
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NNKIT_DEBUG", "FORCE_COLOR", "NO_COLOR", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return course.read(tmp_path / "course" / "exercises" / "s13_relu")


@pytest.fixture
def ada(section, tmp_path, monkeypatch):
    """Ada's folder with section 13 in it, solved; she stands in it."""
    folder = tmp_path / "ada" / "s13_relu"
    folder.mkdir(parents=True)
    (folder / "relu.py").write_text(RIGHT)
    shutil.copy(section.visible_suite, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Limits that a test can wait for."""
    monkeypatch.setattr(check, "TEST_CPU", 0.6)
    monkeypatch.setattr(check, "AFTER_TIMEOUT_CPU", 0.5)
    monkeypatch.setattr(check, "WALL_FACTOR", 1000.0)  # this machine may be busy
    monkeypatch.setattr(check, "PULSE", 0.05)


@pytest.fixture
def run(capfd, monkeypatch):
    """Run the command in this process; its child is a real one. Return exit code, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nnkit", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return stop.value.code, out, err

    return run


@pytest.fixture
def found(run):
    """Run `nnkit check --json`; return exit code, the one result, and what was printed beside it."""

    def found(*arguments):
        code, out, err = run("check", "13", "--json", *arguments)
        document = json.loads(out)
        assert (document["version"], document["command"], len(document["results"])) == (1, "check", 1)
        return code, document["results"][0], err

    return found


def status(result):
    return {test["name"]: test["status"] for test in result["tests"]}


def failing(*names):
    return {name: "failed" if name in names or not names else "passed" for name in TESTS}


# Exit codes and what a person reads


def test_everything_right(ada, run):
    """Exit 0; every test, the points here and the points to come, and what to do next"""
    code, out, err = run("check", "13")

    assert (code, err) == (0, "")
    assert out.count("  ok    ") == 5
    assert "5 of 5 visible checks passed; hidden checks run when it is graded." in out
    assert "4 of 4 points here; 16 more are given by the hidden checks." in out
    assert out.endswith("Next: section 14, ReLU: nnkit fetch 14\n")


def test_something_wrong(ada, run):
    """Exit 1; where, yours, expected, and how to run that test again"""
    (ada / "relu.py").write_text(RIGHT.replace("> 0", "> -5"))

    code, out, err = run("check")

    assert (code, err) == (1, "")
    assert "  FAIL  relu(-2) is 0" in out
    assert "1 of 1 value differs; the first at [0]:" in out
    assert "expected   0" in out
    assert "Again: nnkit check 13 -k negative" in out
    assert "Next:" not in out


def test_the_untouched_stub(ada, run):
    """Every test fails; each says in one line what is not written yet"""
    (ada / "relu.py").write_text(STUB)

    code, out, _err = run("check", "13")

    assert code == 1
    assert out.count("Not written yet: relu in relu.py, line 2.") == 3
    assert out.count("Not written yet: half in relu.py, line 6.") == 2
    assert "Again:" not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "41"], "There is no section 41."),
        (["check", "14"], "nnkit fetch 14"),
        (["check", "13", "-k", "tanh"], "No test of s13_relu matches 'tanh'"),
        (["check", "13", "-k", "zero and ("], "is no such expression"),
        (["check", "13", "--pdb", "--json"], "do not go together"),
    ],
    ids=" ".join,
)
def test_asked_wrongly(ada, run, arguments, sentence):
    """Exit 2, nothing on standard output, one sentence on standard error"""
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_our_fault(ada, run, section):
    """Exit 3 and a sentence where the check itself cannot work; a suite's own error is `unknown`"""
    section.visible_suite.write_text("def test_a(student, no_such_fixture): pass\n")

    code, out, _err = run("check", "13")

    assert code == 3
    assert "not your fault and costs no points" in out


def test_no_file_of_any_section(section, tmp_path, run, monkeypatch):
    """Where nothing was fetched, the sentence says what to do"""
    monkeypatch.chdir(tmp_path)

    assert run("check")[0] == 2


def test_a_keyword_chooses(ada, found, run):
    """Only what matches is run, shown and counted; each test keeps its points"""
    code, result, _err = found("-k", "halves or zero")

    assert (code, [test["name"] for test in result["tests"]]) == (0, [TESTS[0], *TESTS[3:]])
    assert [test["max_score"] for test in result["tests"]] == [1.0, 0.5, 0.5]
    assert "3 of 3 visible checks that match 'halves or zero' passed" in run("check", "13", "-k", "halves or zero")[1]


def test_several_sections(ada, run):
    """Each has its part; a keyword may match in one of them only, but not in none"""
    (ada.parent / "s14_next").mkdir()
    (ada.parent / "s14_next" / "next.py").write_text("")

    code, out, _err = run("check", "13", "14", "13", "-k", "zero or next", "--json")
    assert (code, [result["section"] for result in json.loads(out)["results"]]) == (0, ["13", "14"])
    code, out, _err = run("check", "13", "14", "-k", "zero", "--json")
    assert (code, [result["section"] for result in json.loads(out)["results"]]) == (0, ["13"])
    code, _out, err = run("check", "13", "14", "-k", "tanh")
    assert (code, err) == (2, "No test of these 2 sections matches 'tanh'; leave -k out to run all.\n")


@pytest.mark.parametrize("kind", ["large", "not installed"])
def test_what_is_wrong_with_one_section_keeps_nobody_from_the_others(ada, run, kind):
    """The others are shown, the sentence stands on standard error, and the exit code says it"""
    other = ada.parent / "s14_next" / "next.py"
    other.parent.mkdir()
    other.write_text("# no code\n" * (200_000 if kind == "large" else 1))
    if kind == "not installed":
        facts = course.section("14").folder / "section.toml"
        facts.write_text(facts.read_text().replace('["numpy"]', '["numpy", "torch"]') + 'imports = ["torch"]\n')
        (other.parent / "torch.py").write_text("not looked at")

    with no_torch():
        code, out, err = run("check", "14", "13", "--json")
        assert (code, [result["section"] for result in json.loads(out)["results"]]) == (2, ["13"])
        assert len(err.splitlines()) == 1
        code, out, err = run("check", "14", "13")
        assert (code, out.count("  ok    ")) == (2, 5)
        code, out, err = run("check", "14")

    assert (code, out) == (2, "")
    if kind == "large":
        assert err == "next.py has 2 MiB; at most 1 MiB are read.\n"
    else:
        assert err.startswith("Section 14 needs PyTorch, which is not installed here: ")
        assert " -m pip install torch` brings it.\n" in err


@contextmanager
def no_torch():
    """For the child: a machine that has no torch."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text("import sys\n\nsys.modules['torch'] = None\n")
        patch.setenv("PYTHONPATH", folder)
        yield


def test_a_keyword_that_is_none_is_said_once(ada, run):
    """However many sections are asked for"""
    (ada.parent / "s14_next").mkdir()
    (ada.parent / "s14_next" / "next.py").write_text("")

    code, out, err = run("check", "13", "14", "-k", "zero and (")

    assert (code, out, err.count("is no such expression")) == (2, "", 1)


def test_points_add_up(ada, section, found):
    """Seven tests that share 4 points are 4 points, not 4.000003"""
    section.visible_suite.write_text(SUITE.replace("[1, 2]", "[1, 2, 3, 4]"))

    code, result, _err = found()

    assert (code, len(result["tests"]), result["score"], result["max_score"]) == (0, 7, 4.0, 4.0)


def test_the_next_section_is_there_already(ada, run):
    """Nobody is told to fetch what lies beside"""
    assert run("fetch", "14")[0] == 0

    lesson = ada.parent / "s14_next" / "README.md"
    assert run("check", "13")[1].endswith(f"Next: section 14, ReLU: read {lesson}, then nnkit check 14\n")


def test_the_course_s_suite_counts(ada, run):
    """An edited copy of the suite changes nothing but a note"""
    (ada / "test_relu.py").write_text("def test_all(student): pass\n")

    code, out, _err = run("check", "13")

    assert code == 0
    assert "5 of 5" in out
    assert "Your test_relu.py differs from the course's; the course's was run." in out


def test_nothing_heavy_in_the_watching_process(ada):
    """The command itself loads no numpy, pytest, msgspec or torch: the child does"""
    code = (
        "import sys; sys.argv = ['nnkit', 'check', '13']\nfrom nnkit.cli import main\n"
        "try: main()\nfinally: print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    loaded = done.stderr.splitlines()[-1]
    assert "'nnkit'" in loaded
    assert not [name for name in ("numpy", "pytest", "msgspec", "torch", "pydantic", "rich") if f"'{name}'" in loaded]


# What a student's code prints


HARMLESS = """\
    print('{"version": 7}')
    sys.stdout.write('{')
    sys.__stdout__.write('[')
    os.write(1, b'}{')
    os.system('echo hello')
    print('no end of line', end='')
"""
HALF_A_LINE = "    [os.write(fd, b'half a li') for fd in range(3, 12) if writable(fd)]\n"
FORGED = """\
    [os.write(fd, b'{"outcome": 3}\\n{"wrong": [7, "x"]}\\n7\\n{"begin": 1}\\n') for fd in range(3, 12) if writable(fd)]
"""


@pytest.mark.parametrize("lines", [HARMLESS, HALF_A_LINE, FORGED], ids=["prints", "half a line", "forged"])
def test_one_document_whatever_is_printed(ada, section, found, lines):
    """What the student's code writes, to whichever descriptor, is not on standard output"""
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["os", "sys", "stat"]\n')
    (ada / "relu.py").write_text(
        "import os, stat, sys\n\ndef writable(fd):\n    try:\n        return stat.S_ISFIFO(os.fstat(fd).st_mode)\n"
        "    except OSError:\n        return False\n\n" + RIGHT.replace("    return x *", f"{lines}    return x *")
    )

    code, result, _err = found()

    assert (code, status(result)) == (0, failing("none"))


def test_prints_are_seen(ada, run):
    """A student's print reaches standard error, at once and in full"""
    (ada / "relu.py").write_text(RIGHT.replace("    return x *", "    print('relu of', x)\n    return x *"))

    code, _out, err = run("check", "13")

    assert code == 0
    assert err.splitlines() == ["relu of 0.0", "relu of [2.]", "relu of [-2.]"]


def test_a_line_that_does_not_end_is_ended(ada, run):
    """What nnkit says begins a line of its own"""
    (ada / "relu.py").write_text(RIGHT + "\nprint('no end', end='')\n")

    assert run("check", "13")[2] == "no end\n"


@pytest.mark.parametrize("ask", ["input('x? ')", "sys.stdin.read()"])
def test_nobody_answers_a_question(ada, section, found, ask):
    """input() ends at once, and says why there is no answer"""
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["sys"]\n')
    (ada / "relu.py").write_text("import sys\n" + RIGHT.replace("return x / 2", f"return {ask}"))

    code, result, _err = found("-k", "halves")

    assert code == 1
    for test in result["tests"]:
        assert test["message"].startswith("EOFError: nobody answers input() in a check; take the value as an argument")


def test_fifty_megabytes_of_prints(ada, found):
    """The beginning is shown, the rest is counted"""
    (ada / "relu.py").write_text(RIGHT.replace("    return x *", "    print('A' * 17_000_000)\n    return x *"))

    code, result, err = found()

    assert (code, status(result)) == (0, failing("none"))
    assert len(err) < check.PRINT_LIMIT + 200
    assert err.rstrip().endswith("50,900,003 more bytes were printed; they are not shown.")


# Files that are no answer


@pytest.mark.parametrize(
    ("content", "state", "sentence"),
    [
        (b"def relu(x)\n    return x\n", "import_error", "relu.py, line 1"),
        (b"x = 1\n  y = 2\n", "import_error", "relu.py, line 2"),
        (b"x = 1\0\n", "import_error", "relu.py"),
        (b"name = '\xff\xfe'\n", "import_error", "relu.py"),
        (b"", "graded", ""),
        (b"import numpy as np\nrelu = np.maximum\n", "refused", "relu.py, line 2"),
        (b"raise ValueError('no \x1b[31m')\n", "import_error", "ValueError: no \\x1b[31m (line 1)"),
        (b"def a():\n    return 1 / 0\n\nb = a()\n", "import_error", "ZeroDivisionError: division by zero (line 2)"),
        (b"raise SystemExit(0)\n", "import_error", "SystemExit"),
        (b"raise KeyboardInterrupt\n", "import_error", "KeyboardInterrupt"),
        (b"import torch\nx = torch.ones(3)\n", "import_error", "torch is not available in section 13"),
    ],
)
def test_files_that_cannot_be_tested(ada, found, content, state, sentence):
    """Not Python, forbidden, failing at import: exit 1, one state, all tests there and failed, and why in a sentence"""
    (ada / "relu.py").write_bytes(content)

    code, result, _err = found()
    assert (code, result["state"], status(result)) == (1, state, failing())
    assert sentence in result["detail"]
    assert all(result["detail"] in test["message"] for test in result["tests"])
    assert "\x1b" not in json.dumps(result, ensure_ascii=False)


def test_an_import_error_shows_the_student_s_lines(ada, run):
    """The frames of the student's own file, once"""
    (ada / "relu.py").write_text("def table():\n    return {}['key']\n\nTABLE = table()\n")

    _code, out, _err = run("check", "13")

    assert out.splitlines()[2:7] == [
        "  relu.py could not be imported: KeyError: key (line 2)",
        "    relu.py, line 4, in <module>",
        "      TABLE = table()",
        "    relu.py, line 2, in table",
        "      return {}['key']",
    ]


@pytest.mark.parametrize("kind", ["large", "folder", "dangling", "pipe"])
def test_what_is_no_file(ada, run, kind):
    """50 MB, a folder, a link to nothing, a pipe: a sentence at once, and nothing is read for ever"""
    path = ada / "relu.py"
    path.unlink()
    if kind == "large":
        with path.open("wb") as file:
            file.truncate(50 << 20)
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(ada / "nowhere.py")
    else:
        os.mkfifo(path)

    code, out, err = run("check", "13")

    assert code in {1, 2}
    assert "relu.py" in out + err
    assert "Traceback" not in err


EQUALS_EVERYTHING = """\
class All:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __le__ = __eq__
    def __array__(self, *a, **k): raise SystemExit

def half(x): return x / 2
def relu(x): return All()
"""


@pytest.mark.parametrize(
    ("code", "messages"),
    [
        (
            "def half(x):\n    return x / 2\n",
            ["relu.py has no `relu`, which section 13 asks for; keep the names of the stub."],
        ),
        ("def half(x): return x / 2\ndef relu(): return 0\n", ["TypeError: relu() takes 0 positional arguments"]),
        ("def half(x): return x / 2\nrelu = 3.0\n", ["could not use what your code returned"]),
        ("def half(x): return x / 2\ndef relu(x): pass\n", ["is None; expected", "Is a `return` missing?"]),
        ("def half(x): return x / 2\ndef relu(x): return float('nan') * x\n", ["NaN where it should not be"]),
        (
            "def half(x): return x / 2\ndef relu(x):\n    x = []\n    x.append(x)\n    return x\n",
            ["does it contain itself?"],
        ),
        ("def half(x): return x / 2\ndef relu(x): return relu(x)\n", ["RecursionError"]),
        (
            "import numpy as np\ndef half(x): return x / 2\ndef relu(x): return np.empty(3 << 30, np.int8)\n",
            ["3 GiB of data"],
        ),
        ("def half(x): return x / 2\ndef relu(x): raise SystemExit(0)\n", ["SystemExit: 0"]),
        ("def half(x): return x / 2\ndef relu(x): raise KeyboardInterrupt\n", ["KeyboardInterrupt"]),
        (
            EQUALS_EVERYTHING,
            ["is an object of class All; expected"],
        ),
    ],
)
def test_answers_that_are_none(ada, found, code, messages):
    """Missing and misfit functions, None, NaN, lists in themselves, 3 GB, what equals everything: failed, and why"""
    (ada / "relu.py").write_text(code)

    rc, result, _err = found()

    assert (rc, result["state"], status(result)) == (1, "graded", failing(*TESTS[:3]))
    for message in messages:
        assert any(message in test["message"] for test in result["tests"]), result["tests"]
    assert all(len(test["message"]) < 7000 for test in result["tests"])


# Code that does not come back

FOREVER = "while True: pass"
STUBBORN = """try:
            while True:
                try:
                    while True: pass
                except BaseException: pass
        except BaseException: pass"""


@pytest.mark.parametrize(
    ("body", "state", "sentence"),
    [
        (FOREVER, "timeout", "It was stopped after 1 s of processor time: does a loop never end?"),
        (STUBBORN, "timeout", "It was stopped after 1 s of processor time"),
        ("os._exit(0)", "crashed", "It ended the whole process with exit code 0."),
        ("os._exit(3)", "crashed", "It ended the whole process with exit code 3."),
        ("os.abort()", "crashed", "It ended the whole process with signal SIGABRT."),
        ("os.kill(os.getpid(), 9)", "killed", "The system killed it"),
        ("os.kill(os.getpid(), 2)", "crashed", "exit code 130"),
        ("os.kill(os.getpid(), 15)", "crashed", "signal SIGTERM"),
    ],
)
def test_one_test_that_does_not_come_back(ada, section, quick, found, body, state, sentence):
    """It is ended and says so; every other test has its result"""
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["os"]\n')
    (ada / "relu.py").write_text(
        "import os\n"
        + RIGHT.replace("    return x *", f"    if np.ndim(x) and x[0] == 2.0:\n        {body}\n    return x *")
    )

    code, result, err = found()

    assert (code, result["state"], status(result)) == (1, state, failing("test_positive"))
    assert sentence in result["detail"]
    assert result["tests"][1]["message"] == result["detail"]
    assert (result["score"], result["max_score"]) == (3.0, 4.0)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("line", "state", "sentence"),
    [
        ("while True: pass", "timeout", "relu.py could not be imported. It was stopped after 1 s of processor time"),
        ("os._exit(0)", "crashed", "relu.py could not be imported. It ended the whole process with exit code 0."),
        ("os.kill(os.getpid(), 9)", "killed", "relu.py could not be imported. The system killed it"),
    ],
)
def test_a_file_that_does_not_come_back_at_import(ada, section, quick, run, found, monkeypatch, line, state, sentence):
    """The check ends at once, not once for every test; every test says the same, a person reads it once"""
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["os"]\n')
    (ada / "relu.py").write_text(f"import os\n{RIGHT}\n{line}\n")
    children = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: (children.append(a), start(*a, **k))[1])

    code, result, _err = found()

    assert (code, result["state"], status(result), len(children)) == (1, state, failing(), 1)
    assert {test["message"] for test in result["tests"]} == {result["detail"]}
    assert result["detail"].startswith(sentence)
    assert run("check", "13")[1].count("could not be imported") == 1


def test_a_second_loop_is_given_less_time(ada, quick, found, monkeypatch):
    """What never ends is often asked by every test: after the first, the limit is lower"""
    monkeypatch.setattr(check, "AFTER_TIMEOUT_CPU", 0.0)  # then the section's own half second holds
    (ada / "relu.py").write_text(RIGHT.replace("    return x *", f"    {FOREVER}\n    return x *"))
    limits = []
    usual = check._limits
    monkeypatch.setattr(check, "_limits", lambda *a: limits.append(usual(*a).cpu) or usual(*a))

    code, result, _err = found()

    assert (code, status(result)) == (1, failing(*TESTS[:3]))
    assert limits == [0.6, 0.5, 0.5, 0.5]


def test_what_waits_for_ever(ada, section, quick, found, monkeypatch):
    """No processor time is used, but the clock on the wall goes on"""
    monkeypatch.setattr(check, "WALL_FACTOR", 1.5)
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["threading"]\n')
    (ada / "relu.py").write_text(
        "import threading\n" + RIGHT.replace("    return x / 2", "    threading.Event().wait()")
    )

    code, result, _err = found("-k", "halves[1]")

    assert (code, status(result)) == (1, {"test_halves[1]": "failed"})
    assert "does something wait for ever?" in result["detail"]


def test_too_much_memory(ada, quick, found, monkeypatch):
    """It is ended when it holds more than it may, and says how much that was"""
    monkeypatch.setattr(check, "MEMORY", 400 << 20)
    monkeypatch.setattr(check, "TEST_CPU", 30.0)
    (ada / "relu.py").write_text(
        RIGHT.replace("    return x / 2", "    kept = []\n    while True:\n        kept.append(np.ones(1 << 21))")
    )

    code, result, _err = found("-k", "halves[1] or zero")

    assert (code, result["state"]) == (1, "out_of_memory")
    assert "It was stopped when it used 0." in result["detail"]


def test_threads_and_processes_of_the_student_s_are_ended(ada, section, found):
    """A thread that never ends and a process that holds every channel open hold nothing up, and nothing is left"""
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["os", "threading", "time"]\n')
    (ada / "relu.py").write_text(
        "import os, threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
        "pid = os.fork()\nif pid == 0:\n    time.sleep(600)\n"
        "open('pid', 'w').write(str(pid))\n" + RIGHT
    )

    code, result, _err = found()

    assert (code, status(result)) == (0, failing("none"))
    assert _ends(int((ada / "pid").read_text()))


def _ends(pid):
    """Whether a process that was told to end does so, or has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return select.select([pidfd], [], [], 20)[0] == [pidfd]
    finally:
        os.close(pidfd)


def test_names_of_python_s_own_modules(ada, found):
    """A random.py, a numpy.py and a json.py beside relu.py are not taken for Python's by us"""
    for name in ("random", "numpy", "json", "types", "pytest"):
        (ada / f"{name}.py").write_text("raise RuntimeError('taken for Python own')\n")
    (ada / "relu.py").write_text(RIGHT.replace("import numpy as np", "").replace("np.asarray(x)", "x"))

    code, result, _err = found("-k", "halves or positive")

    assert (code, result["state"]) == (0, "graded")


def test_a_helper_of_one_s_own(ada, found):
    """Another file in the folder may be imported, and its frames are told"""
    (ada / "helper.py").write_text("def positive(x):\n    raise ValueError('here')\n")
    (ada / "relu.py").write_text(
        RIGHT.replace("    return x *", "    helper.positive(x)\n    return x *") + "\nimport helper\n"
    )

    _code, result, _err = found("-k", "zero")

    assert "  helper.py, line 2, in positive" in result["tests"][0]["message"]


@pytest.mark.parametrize("arguments", [(), ("-k", "nowhere")])
def test_what_a_child_said_last_is_heard(ada, run, monkeypatch, arguments):
    """A child that has ended before this process gets round to reading its words has its result, or its sentence"""
    ended = threading.Event()
    has_ended, listen = check._Run._has_ended, check._Run._listen

    def seen_to_end(self):
        if has_ended(self):
            ended.set()
        return ended.is_set()

    def late(self):
        assert ended.wait(60)
        listen(self)

    monkeypatch.setattr(check._Run, "_has_ended", seen_to_end)
    monkeypatch.setattr(check._Run, "_listen", late)

    code, out, err = run("check", "13", *arguments)

    assert (code, err) == (
        (2, "No test of s13_relu matches 'nowhere'; leave -k out to run all.\n") if arguments else (0, "")
    )
    assert bool(out) == (not arguments)


# A person at the keyboard


def test_ctrl_c(ada):
    """Exit 130 with one word, at once, and no process of ours or the student's is left"""
    (ada / "relu.py").write_text(
        RIGHT.replace("    return x *", f"    print('begun', flush=True)\n    {FOREVER}\n    return x *")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "nnkit.cli", "check", "13"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (130, "", "Stopped.\n")
    assert len(children) == 1
    assert _ends(int(children[0]))


@pytest.mark.parametrize("how", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_of_the_student_s_own_means_the_same_everywhere(ada, section, found, how):
    """Started in the background, where a shell has Ctrl-C ignored, a check tells what it tells in a terminal"""
    facts = section.folder / "section.toml"
    facts.write_text(facts.read_text() + 'imports = ["os"]\n')
    (ada / "relu.py").write_text(f"import os\n{RIGHT.replace('    return x / 2', '    os.kill(os.getpid(), 2)')}")
    before = signal.signal(signal.SIGINT, how)
    try:
        code, result, _err = found("-k", "halves and 1")
    finally:
        signal.signal(signal.SIGINT, before)

    assert (code, result["state"]) == (1, "crashed")
    assert "exit code 130" in result["detail"]


@pytest.mark.skipif(sys.platform != "linux", reason="the child is tied to its parent on Linux only")
def test_a_check_that_is_killed_leaves_nothing(ada):
    """Whatever ends the command, its child ends too"""
    (ada / "relu.py").write_text(
        RIGHT.replace("    return x *", f"    print('begun', flush=True)\n    {FOREVER}\n    return x *")
    )
    with subprocess.Popen(
        [sys.executable, "-m", "nnkit.cli", "check", "13"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    assert _ends(int(child))


def plain_pytest(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_plain_pytest_uses_the_file_beside_the_suite(ada):
    """No option is needed, the local file and the local suite are used, and a failure shows the student's line"""
    done = plain_pytest()
    assert "5 passed" in done.stdout
    assert "Nothing guarded this run; `nnkit check` stops a loop that never ends." in done.stdout

    (ada / "relu.py").write_text(RIGHT.replace("    return x / 2", "    return x / two"))
    done = plain_pytest("-q")

    assert done.returncode == 1
    assert "return x / two" in done.stdout
    assert "name 'two' is not defined" in done.stdout
    assert "2 failed, 3 passed" in done.stdout


def test_plain_pytest_where_there_is_nothing_to_test(ada):
    """A suite without its file, and one of no section: a sentence, no traceback of ours"""
    (ada / "relu.py").unlink()
    (ada / "test_mine.py").write_text("def test_mine(student): pass\n")

    done = plain_pytest("-q")

    assert "relu.py is not beside test_relu.py: `nnkit fetch 13` brings it." in done.stdout
    assert "test_mine.py is the suite of no section" in done.stdout
    assert "plugin.py" not in done.stdout
    assert "Nothing guarded" not in done.stdout


def test_pdb_with_several_sections(ada, run):
    """A keyword may match in one of them only, as without the debugger"""
    (ada.parent / "s14_next").mkdir()
    (ada.parent / "s14_next" / "next.py").write_text("")

    assert run("check", "13", "14", "--pdb", "-k", "zero")[0] == 0
    assert run("check", "13", "14", "--pdb", "-k", "tanh")[0] == 2


def test_pdb_stops_in_the_student_s_frame(ada):
    """In a terminal, the debugger stands where the student's code raised, and its names can be asked for"""
    (ada / "relu.py").write_text(RIGHT.replace("    return x / 2", "    mine = x + 40\n    return mine / None"))
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "nnkit.cli", "check", "13", "--pdb", "-k", "halves"])
    screen = _talk(terminal, [b"p mine * 1000\n", b"q\n"])
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    assert "Nothing guards this process" in screen
    assert "relu.py(10)half()" in screen
    assert "41000" in screen
    assert code == 1


def _talk(terminal, answers):
    """Answer each prompt of the debugger in turn; return everything that was on the screen."""
    seen, deadline = b"", time.monotonic() + 60
    answers = list(answers)
    at = 0
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            data = os.read(terminal, 4096)
            if not data:
                break
            seen += data
            if answers and seen.find(b"(Pdb)", at) >= 0:
                at = len(seen)
                os.write(terminal, answers.pop(0))
    except OSError:
        pass  # the other end of a terminal that is gone
    finally:
        os.close(terminal)
    return seen.decode("utf-8", "replace")


# The course itself


@pytest.mark.parametrize("number", ["12"])
def test_a_real_section(tmp_path, monkeypatch, run, number):
    """Fetched, it fails as a whole; with the reference's code, it passes"""
    monkeypatch.delenv("NNKIT_COURSE", raising=False)
    monkeypatch.chdir(tmp_path)
    section = course.section(number)
    assert run("fetch", number)[0] == 0

    code, out, _err = run("check", number)
    assert code == 1
    assert "0 of 7 visible checks passed" in out

    shutil.copy(section.reference, tmp_path / section.name)
    code, out, _err = run("check", number)
    assert code == 0
    assert "7 of 7 visible checks passed; hidden checks run when it is graded." in out
