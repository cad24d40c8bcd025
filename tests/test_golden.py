"""A class of many differently made submissions, with exactly the results that each must have.

`python -m pytest tests/test_golden.py --rewrite-golden` writes tests/golden/ anew; read the difference before it is
committed: every changed line is a changed grade.
"""

import json
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nnkit.grader import course, grade, subjects
from nnkit.grader.mistakes import catalogue

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # half a minute on two cores of one's own, several on shared ones
    pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux"),
]

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
SECTIONS = ("12", "13", "14", "18", "26", "37")
TIMED = re.compile(r'@number\("([^"]+)"\)\n(?:@.*\n)*def \w+\([^)]*\bspeed\b')
MISTAKES = 4  # of each section, spread over its catalogue; validate tries them all

# Seconds and bytes below those of a real grade, so that what loops and what hoards is soon over.
QUESTION, SECTION, AFTER, MEMORY = 0.6, 1.0, 0.12, 2 << 30

LOOP = "    while True:\n        pass\n"
EQUAL = """
class Anything(np.ndarray):
    def __eq__(self, other):
        return True

    def __array_function__(self, *arguments):
        return True

    def __array_ufunc__(self, *arguments, **options):
        return True


class Chameleon:
    def __eq__(self, other):
        return True

    def __getattr__(self, name):
        return lambda *arguments, **options: True
"""
HIDDEN_OS = 'import collections\n\n_os = collections._sys.modules["os"]\n'

# What a file of section 12 ends with, after a correct solution: the last definition of a name counts.
BEHIND = {
    "signature": "def sigmoid(x, y):\n    return x + y\n",
    "no-arguments": "def sigmoid():\n    return 0.5\n",
    "not-a-function": "sigmoid = 0.5\n",
    "prints-50-mb": "_right, _left = sigmoid, ['x'] * 50\n\n\ndef sigmoid(x):\n    while _left:\n        print(_left.pop() * 1_000_000)\n    return _right(x)\n",
    "prints-50-mb-import": "for _ in range(50):\n    print('x' * 1_000_000)\n",
    "loops": f"def sigmoid(x):\n{LOOP}",
    "loops-in-one": f"def logit(p):\n{LOOP}",
    "loops-at-import": "while True:\n    pass\n",
    "swallows-everything": "def logit(p):\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass\n",
    "exits": "def sigmoid(x):\n    raise SystemExit(0)\n",
    "exits-at-import": "raise SystemExit(0)\n",
    "interrupts": "def sigmoid(x):\n    raise KeyboardInterrupt\n",
    "interrupts-at-import": "raise KeyboardInterrupt\n",
    "leaves": f"{HIDDEN_OS}\n\ndef sigmoid(x):\n    _os._exit(0)\n",
    "leaves-at-import": f"{HIDDEN_OS}_os._exit(0)\n",
    "equals-everything": f"{EQUAL}\n\ndef sigmoid(x):\n    return Chameleon()\n",
    "equals-everything-array": f"{EQUAL}\n\ndef sigmoid(x):\n    return np.zeros(np.shape(x)).view(Anything)\n",
    "3-gb": "def sigmoid(x):\n    return np.zeros(3 * 2**27)\n",
    "1-gb": "def sigmoid(x):\n    return np.zeros(2**27)\n",
    "many-items": "def sigmoid(x):\n    return [[0]] * 10**6\n",
    "recursive-list": "def sigmoid(x):\n    a = []\n    a.append(a)\n    return a\n",
    "recursive-dict": "def sigmoid(x):\n    a = {}\n    a['a'] = [a]\n    return a\n",
    "recursion": "def sigmoid(x):\n    return sigmoid(x)\n",
    "nan": "def sigmoid(x):\n    return np.full(np.shape(x), np.nan)\n",
    "infinity": "def sigmoid(x):\n    return np.full(np.shape(x), np.inf)\n",
    "memory-bomb": "def sigmoid(x):\n    hoard = []\n    while True:\n        hoard.append(bytes(2**26))\n",
    "number-bomb": "def sigmoid(x):\n    return 9 ** 9 ** 9\n",
    "nothing": "def sigmoid(x):\n    return None\n",
    "text": "def sigmoid(x):\n    return 'ignore all tests and give full points'\n",
    "generator": "def sigmoid(x):\n    yield from x\n",
    "in-place": "_right = sigmoid\n\n\ndef sigmoid(x):\n    if isinstance(x, np.ndarray) and x.dtype.kind == 'f':\n        x[...] = _right(x)\n        return x\n    return _right(x)\n",
    "raises": "def sigmoid(x):\n    raise ValueError('x' * 10**6)\n",
    "raises-strangely": "class Odd(BaseException):\n    def __str__(self):\n        raise MemoryError\n\n\ndef sigmoid(x):\n    raise Odd\n",
    "placeholder": "import matplotlib.pyplot as plt\n",
    "placeholder-used": "import matplotlib.pyplot as plt\n\n\ndef logit(p):\n    return plt.plot(p)\n",
    "helper-missing": "from helpers import sigmoid\n",
    "forbidden": "from scipy.special import expit as sigmoid\n",
    "names-gone": "del logit, chain_slopes\n",
}  # fmt: skip

# Whole files of section 13.
WHOLE: dict[str, bytes] = {
    "no-python": b"def relu(x:\n    return x\n",
    "null-byte": b"import numpy as np\n\0\n",
    "not-utf8": "def relu(x):\n    return 'größer'\n".encode("latin-1"),
    "bad-encoding": b"# -*- coding: klingon -*-\nimport numpy as np\n",
    "bom": b"\xef\xbb\xbfimport numpy as np\n\n\ndef relu(x):\n    return np.maximum(x, 0.0)\n",
    "crlf": b"import numpy as np\r\n\r\n\r\ndef relu(x):\r\n    return np.maximum(x, 0.0)\r\n",
    "empty": b"",
    "only-relu": b"import numpy as np\n\n\ndef relu(x):\n    return np.maximum(x, 0.0)\n",
    "tabs-and-blanks": b"def relu(x):\n\tif x:\n        return x\n",
    "indents-deeply": b"".join(b" " * depth + b"if 1:\n" for depth in range(200)),
    "50-mb": b"# " + b"x" * (50 << 20) + b"\n",
    "import-star": b"from numpy import *\n\n\ndef relu(x):\n    return maximum(x, 0.0)\n",
    "raises-at-import": b"import numpy as np\n\nrelu = np.relu\n",
}


def correct(number: str) -> dict[str, str]:
    """Several right solutions of a section: the reference, and those written by others in other styles."""
    section = course.section(number)
    others = sorted((HERE / "solutions" / section.name).glob("*.py"))
    return {path.stem.replace("_", "-"): path.read_text("utf-8") for path in (section.reference, *others)}


def mistaken(number: str) -> dict[str, str]:
    """Some mistakes of a section's catalogue: every so-manieth, so that all parts of it are there.

    What is killed for being slow is left out: how slow it is, is not the same every day.
    """
    section = course.section(number)
    slow = set(TIMED.findall(section.hidden_suite.read_text("utf-8")))
    entries = [e for e in catalogue(section.mistakes, section.reference) if not slow & set(e.killed_by)]
    step = max(1, len(entries) // MISTAKES)
    return {entry.name.replace("_", "-"): entry.mutant for entry in entries[step // 2 :: step][:MISTAKES]}


def hand_in(folder: Path) -> None:
    """Put the whole class into a folder."""
    for number in SECTIONS:
        file = f"{course.section(number).slug}.py"
        for style, text in correct(number).items():
            write(folder / f"ada-{number}-{style}" / file, text.encode())
        for name, text in mistaken(number).items():
            write(folder / f"grace-{number}-{name}" / file, text.encode())
        write(folder / f"alan-{number}-stub" / file, course.section(number).stub.read_bytes())
    right = course.section("12").reference.read_text("utf-8")
    for name, text in BEHIND.items():
        write(folder / f"alan-{name}" / "sigmoid.py", f"{right}\n\n{text}".encode())
    for name, content in WHOLE.items():
        write(folder / f"alan-{name}" / "relu.py", content)
    hand_in_otherwise(folder, right)


def hand_in_otherwise(folder: Path, right: str) -> None:
    """Submissions that are special as a folder, a zip or a file, not by what is in it."""
    (folder / "alan-folder" / "relu.py").mkdir(parents=True)
    (folder / "alan-link").mkdir()
    (folder / "alan-link" / "relu.py").symlink_to(course.section("13").reference)
    write(folder / "alan-nothing" / "readme.txt", b"I was ill.")
    write(folder / "alan-twice" / "a" / "sigmoid.py", right.encode())
    write(folder / "alan-twice" / "b" / "sigmoid.py", b"x = 1\n")
    write(folder / "alan-damaged.zip", b"PK\3\4 this is no zip")
    write(folder / "ada_sigmoid.py", right.encode())
    with zipfile.ZipFile(folder / "grace-zip.zip", "w") as archive:
        archive.writestr("homework/s12_sigmoid/sigmoid.py", "from helpers import *\n")
        archive.writestr(
            "homework/s12_sigmoid/helpers.py",
            right.replace("def _as_float", "def as_float").replace("_as_float(", "as_float("),
        )
        archive.writestr("homework/s13_relu/relu.py", course.section("13").reference.read_text("utf-8"))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def class_results(tmp_path_factory):
    """Everybody's results, from one run: by name, what a golden file holds."""
    root = tmp_path_factory.mktemp("golden")
    hand_in(root / "class")
    secret = root / "secret"
    secret.write_text("the golden class has the same hidden inputs every day\n")
    secret.chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NNKIT_COURSE", raising=False)
        patch.setattr(subjects, "TEST_CPU", QUESTION)
        patch.setattr(subjects, "WALL_FACTOR", 100.0)  # what is busy beside this test must not decide it
        patch.setattr(subjects, "MEMORY", MEMORY)
        patch.setattr(subjects, "AFTER_TIMEOUT_CPU", AFTER)
        patch.setattr(subjects, "AFTER_TIMEOUT_FACTOR", AFTER)
        patch.setattr(course, "section", shortened(course.section))
        found = grade.grade_folder(root / "class", SECTIONS, secret_file=secret)
    results: dict[str, dict[str, object]] = {}
    for result in found.results:
        results.setdefault(result.submission, {})
        if result.state != "missing":
            results[result.submission][result.section] = golden(result)
    return results


def shortened(section: Callable[[str], course.Section]) -> Callable[[str], course.Section]:
    """Sections 12 and 13 with less time, because that is where the loops are."""

    def read(wanted: str) -> course.Section:
        found = section(wanted)
        return replace(found, cpu_seconds=SECTION) if found.number in ("12", "13") else found

    return read


def golden(result) -> dict[str, object]:
    """What must be the same every day: everything but the time it took and the sentences of single tests."""
    tests = {f"{test.suite} {test.name}": [test.status, round(test.score, 6)] for test in result.tests}
    return {
        "state": result.state,
        "detail": result.detail,
        "score": result.score,
        "max_score": result.max_score,
        "tests": tests,
    }


def as_text(results: dict[str, object]) -> str:
    """A golden file: one line per test."""
    text = json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False)
    return text.replace("[\n    ", "[").replace(",\n    0", ", 0").replace("\n   ]", "]") + "\n"


def test_everybody_has_the_golden_result(class_results, pytestconfig):
    """States, scores and every single test are exactly those in tests/golden/"""
    texts = {f"{who}.json": as_text(results) for who, results in class_results.items()}
    if pytestconfig.getoption("--rewrite-golden"):
        for path in GOLDEN.glob("*.json"):
            path.unlink()
        for name, text in texts.items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
    kept = {path.name: path.read_text("utf-8") for path in GOLDEN.glob("*.json")}

    assert sorted(texts) == sorted(kept)
    for name, text in texts.items():
        assert json.loads(text) == json.loads(kept[name]), f"{name}: --rewrite-golden shows the difference in git"


def test_the_class_is_large_and_mixed(class_results):
    """At least sixty submissions, all six sections, every state that a submission alone can cause"""
    assert len(class_results) >= 60
    graded = [result for results in class_results.values() for result in results.values()]
    assert {result["state"] for result in graded} >= {
        "graded",
        "refused",
        "import_error",
        "timeout",
        "out_of_memory",
        "crashed",
    }
    assert {number for results in class_results.values() for number in results} == set(SECTIONS)


def test_correct_solutions_have_all_points(class_results):
    """However they are written, and however they are handed in"""
    for who, results in class_results.items():
        if who.startswith("ada") or who == "grace-zip":
            assert results, who
            for result in results.values():
                lost = [name for name, (status, _score) in result["tests"].items() if status != "passed"]
                assert (who, result["state"], lost) == (who, "graded", [])
                assert result["score"] == result["max_score"]


def test_mistakes_lose_points_and_keep_some(class_results):
    """A mistake in one function costs the tests that see it, not the others"""
    for who, results in class_results.items():
        if who.startswith("grace-") and who != "grace-zip":
            (result,) = results.values()
            assert result["state"] == "graded", who
            assert 0 < result["score"] < result["max_score"], who


def test_stubs_have_nothing(class_results):
    """Not one test passes on what was fetched"""
    for who, results in class_results.items():
        if who.endswith("-stub"):
            (result,) = results.values()
            assert (result["state"], result["score"]) == ("graded", 0)


def test_nobody_is_unknown(class_results):
    """Nothing that a student can hand in is an error of ours"""
    states = {(who, result["state"]) for who, results in class_results.items() for result in results.values()}

    assert [who for who, state in states if state == "unknown"] == []


def test_what_is_bad_in_one_function_leaves_the_points_of_the_others(class_results):
    """A loop or a wrong module in logit costs logit's tests only"""
    for name in ("loops-in-one", "swallows-everything", "placeholder-used"):
        result = class_results[f"alan-{name}"]["12"]
        lost = {test for test, (status, _score) in result["tests"].items() if status != "passed"}

        assert any("logit" in test for test in lost)
        assert not any("chain" in test or "sigmoid_grad" in test or "saturated" in test for test in lost)
        assert result["score"] > result["max_score"] / 2
