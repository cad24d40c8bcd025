"""What several test files need: a small course of one section that is in order, and ways to spoil it."""

import os
import signal
import stat
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("nnkit", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("nnkit")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background; what the tests start is not
    signal.signal(signal.SIGINT, signal.default_int_handler)

FILES = {
    "exercises/s13_small/section.toml": """\
title = "Small"
summary = "Double numbers, measure slopes, walk downhill."
difficulty = 1
libraries = ["numpy"]
after = []
points = 20
cpu_seconds = 1
forbidden = ["scipy"]
hints = ["a", "b", "c"]

[[quiz]]
question = "Which?"
answers = ["this", "that"]
correct = 1
why = ["no", "yes"]
""",
    "exercises/s13_small/README.md": "# Small\n\n"
    + "Twice a number is the number and the number again.\n" * 40
    + "\n## Sources\n",
    "exercises/s13_small/small.py": '''\
"""Section 13: small things."""

from collections.abc import Callable

import numpy as np


def double(x: np.ndarray) -> np.ndarray:
    """Return 2x."""
    raise NotImplementedError("section 13: write double")


def slope(f: Callable[[float], float], x: float, h: float = 0.5) -> float:
    """Return the central difference of f at x."""
    raise NotImplementedError("section 13: write slope")


class Walker:
    """Walks downhill with a memory."""

    def __init__(self, lr: float) -> None:
        """Start at rest."""
        raise NotImplementedError("section 13: write Walker")

    def step(self, w: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """Return the new weights."""
        raise NotImplementedError("section 13: write Walker.step")
''',
    "exercises/s13_small/test_small.py": '''\
"""Section 13: small things. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close


def test_double_by_hand(student):
    """double of 1.5 and -2 is 3 and -4"""
    assert_close(student.double(np.array([1.5, -2.0])), [3.0, -4.0])


def test_slope_by_hand(student):
    """The slope of x^3 at 2 with h = 0.5 is 12.25"""
    assert_close(student.slope(lambda x: x**3, 2.0), 12.25)


def test_walker_by_hand(student):
    """A walker gets faster: 3 becomes 2.5, then 1.5"""
    walker = student.Walker(0.5)
    w = walker.step(np.array([3.0]), np.array([1.0]))

    assert_close(w, [2.5])
    assert_close(walker.step(w, np.array([1.0])), [1.5])
''',
    "solutions/s13_small/small.py": '''\
"""Section 13: small things."""

from collections.abc import Callable

import numpy as np


def double(x: np.ndarray) -> np.ndarray:
    """Return 2x."""
    return 2.0 * x


def slope(f: Callable[[float], float], x: float, h: float = 0.5) -> float:
    """Return the central difference of f at x."""
    above, below = f(x + h), f(x - h)
    return (above - below) / (2 * h)


class Walker:
    """Walks downhill with a memory."""

    def __init__(self, lr: float) -> None:
        """Start at rest."""
        self.lr = lr
        self.velocity = 0.0

    def step(self, w: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """Return the new weights."""
        self.velocity = self.velocity + self.lr * grad
        return w - self.velocity
''',
    "solutions/s13_small/test_hidden.py": '''\
"""Section 13: small things. Hidden tests."""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import assert_close


@weight(2)
@number("13.H1")
@pytest.mark.parametrize("shape", [(3,), (4, 4)])
def test_double(student, rng, shape):
    """double of random numbers is twice as much"""
    x = rng.standard_normal(shape)

    assert_close(student.double(x), x + x, rtol=1e-12)


@weight(1)
@number("13.H2")
def test_slope(student, reference, rng):
    """slope of a random cubic is the reference's"""
    a, b, x = rng.standard_normal(3)

    def cubic(x):
        return float(a * x**3 + b * x)

    assert_close(student.slope(cubic, x, h=0.25), reference.slope(cubic, x, h=0.25), rtol=1e-9)


@weight(1)
@number("13.H3")
def test_walker(student, rng):
    """A walker adds up its gradients"""
    walker = student.Walker(0.1)
    w, grads = rng.standard_normal((3, 3)), rng.standard_normal((2, 3, 3))
    first = walker.step(w, grads[0])

    assert_close(first, w - 0.1 * grads[0], rtol=1e-12)
    assert_close(walker.step(first, grads[1]), first - 0.1 * (grads[0] + grads[1]), rtol=1e-12)
''',
    "solutions/s13_small/mistakes.py": '''\
"""Section 13: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake


@mistake("double", says="You tripled.", killed_by=["13.H1"])
def tripled(x):
    return 3.0 * x


edit("one_sided", "slope", says="Take both sides.", killed_by=["13.H2"],
     old="(above - below) / (2 * h)", new="(above - f(x)) / h")


@mistake("Walker", says="The walker forgets its speed.", killed_by=["13.H3"])
class forgetful(Walker):
    def step(self, w, grad):
        return w - self.lr * grad
''',
}


def pytest_addoption(parser):
    parser.addoption("--rewrite-golden", action="store_true", help="write tests/golden/ anew from what is found now")


class SmallCourse:
    """A course of one section, in order until a test spoils it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.exercises, self.solutions = root / "exercises" / "s13_small", root / "solutions" / "s13_small"
        self.stub, self.reference = self.exercises / "small.py", self.solutions / "small.py"
        self.visible, self.hidden = self.exercises / "test_small.py", self.solutions / "test_hidden.py"
        self.mistakes = self.solutions / "mistakes.py"
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def replace(self, path: Path, old: str, new: str) -> None:
        """Change a text that stands once in a file."""
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def make_loud(self) -> None:
        """Let the reference, and a mistake while its catalogue is read and when it is called, print on both streams."""
        loud = ["import collections", 'print("heard")', 'print("heard", file=collections._sys.stderr)']
        for path, line in ((self.reference, "    return 2.0 * x"), (self.mistakes, "    return 3.0 * x")):
            self.replace(path, line, "\n".join([*(f"    {each}" for each in loud), line]))
        self.append(self.mistakes, "\n".join(["", "", *loud, ""]))

    def append(self, path: Path, text: str) -> None:
        """Add lines to a file."""
        path.write_text(path.read_text("utf-8") + text, encoding="utf-8")


@pytest.fixture(scope="session")
def small_course_at():
    """Writes a course of one section to a folder, for fixtures that live longer than a test."""
    return SmallCourse


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    """A course of one section, named by NNKIT_COURSE."""
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path / "course"))
    return SmallCourse(tmp_path / "course")


@pytest.fixture
def secret(tmp_path):
    """A course's secret that is the same in every run."""
    path = tmp_path / "secret"
    path.write_text("a secret for tests only, always the same\n")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Two threads on shared cores are slower than one, and a fork after a thread pool may hang."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")


# Workers


@pytest.fixture(scope="session")
def numpy_zygote():
    """The one warm process of all tests that need no torch; it can also load what hostile students would like to have."""
    from nnkit.grader.processes import Zygote

    zygote = Zygote(torch=False, modules=("ctypes", "os", "signal", "socket", "struct", "sys", "threading", "time"))
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def torch_zygote():
    """The one warm process of all tests with torch: it takes seconds to start."""
    pytest.importorskip("torch")
    from nnkit.grader.processes import Zygote

    zygote = Zygote(torch=True)
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def open_zygote():
    """A zygote without isolation: its workers can do to themselves what the jail forbids."""
    from nnkit.grader.processes import Zygote

    modules = ("ctypes", "os", "signal", "socket", "struct", "sys", "threading", "time")
    zygote = Zygote(torch=False, modules=modules, level="none")
    yield zygote
    zygote.close()


@pytest.fixture
def client(open_zygote):
    """A connection of the test's own, to a zygote without isolation; what it leaves running is ended."""
    client = open_zygote.client()
    yield client
    client.close()


@pytest.fixture
def submitted():
    """Makes a submission of a text and of helper files: `submitted("def f(): ...", helper="x = 1")`."""
    from nnkit.grader.transport import Files

    allowed = (
        "__future__",
        "typing",
        "collections",
        "dataclasses",
        "functools",
        "itertools",
        "math",
        "numpy",
        "random",
        "warnings",
    )

    def make(source, available=allowed, **helpers):
        texts = {"sub": source, **helpers}
        sources = {f"{name}.py": text if isinstance(text, bytes) else text.encode() for name, text in texts.items()}
        return Files(sources, "sub", "13", tuple(available))

    return make


@pytest.fixture
def student_in(request, submitted):
    """Makes what a test calls: `student_in("graded", "def f(): ...")`; with `torch=True` tensors work."""
    from nnkit.grader.processes import Patience
    from nnkit.grader.remote import Budget, RemoteTransport
    from nnkit.grader.sandbox import Ceilings
    from nnkit.grader.student import Student
    from nnkit.grader.transport import Files, LocalTransport

    plenty = Budget(60.0, 600.0, Patience(20.0, 200.0), Patience(20.0, 200.0))
    made = []

    def make(mode, source, *, torch=False, budget=plenty, memory=4 << 30, **options):
        helpers = options.pop("helpers", {})
        files = source if isinstance(source, Files) else submitted(source, **helpers)
        if torch:
            files = submitted(source, available=(*files.available, "torch"), **helpers)
        if mode == "local":
            transport = LocalTransport()
        else:
            client = request.getfixturevalue("torch_zygote" if torch else "numpy_zygote").client()
            made.append(client)
            transport = RemoteTransport(client, Ceilings(memory, 60), budget)
        student = Student(transport, files, **options)
        made.append(student)
        return student

    yield make
    for each in reversed(made):
        each.close()
