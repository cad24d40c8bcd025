"""Submissions that want to look faster than they are: each is wrong, is stopped, or gains nothing."""

import importlib.util
import re
from pathlib import Path

import pytest

from nnkit.grader import course
from nnkit.grader.compare import Mismatch
from nnkit.grader.kernels.kernel import Kernel
from nnkit.grader.processes import Patience, Zygote
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.student import Student
from nnkit.grader.transport import Files

HERE = Path(__file__).parent
CHEATS = sorted((HERE / "cheats").glob("*.py"))
PLENTY = Budget(60.0, 600.0, Patience(10.0, 100.0), Patience(10.0, 100.0))
ALLOWED = ("typing", "numpy", "nnkit")
FACT = re.compile(r"^# (catalogue|comes to): (.+)$", re.MULTILINE)


def facts(path):
    return dict(FACT.findall(path.read_text()))


@pytest.fixture(scope="module")
def suite():
    """The hidden suite of 29k, whose ladder is to be climbed."""
    spec = importlib.util.spec_from_file_location("hidden_29k", course.section("29k").hidden_suite)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def climb(suite):
    """Has a text climb the ladder of the forward pass, in the jail; returns its rung."""
    zygote = Zygote(torch=False, modules=("ctypes", "gc", "os", "statistics", "time"))
    client = zygote.client()
    reference = Files(
        {"conv_kernel.py": course.section("29k").reference.read_bytes()}, "conv_kernel", "29k", ("collections", "numpy")
    )
    tools = (HERE / "tools.py").read_bytes()

    def module(files, **options):
        return Student(RemoteTransport(client, Ceilings(4 << 30, 100), PLENTY), files, observe=False, **options)

    def run(text):
        files = Files({"conv_kernel.py": text.encode(), "tools.py": tools}, "conv_kernel", "29k", ALLOWED)
        kernel = Kernel(module(files), lambda: (module(files), module(reference, ours=True)))
        standing = kernel._attempts(
            lambda module, x, w, b: module.conv2d_fast(x, w, b), [suite.case(kernel, 4, 64, 28, 64)],
            suite.case(kernel, 4, 8, 16, 16), suite_ladder(suite),
        )  # fmt: skip
        return standing.rung and standing.rung.name

    yield run
    client.close()
    zygote.close()


def suite_ladder(suite):
    from nnkit.grader.kernels.ladder import rungs

    return rungs(suite.FORWARD)


def test_controls(climb):
    """An honest slow kernel stands on the lowest rung, an honest fast one on the highest: the ladder tells them apart"""
    assert climb("from tools import *\ndef conv2d_fast(x, w, b): return honest(x, w, b)\n") == "pass"
    assert climb("from tools import *\ndef conv2d_fast(x, w, b): return fast(x, w, b)\n") == "gold"


@pytest.mark.parametrize("path", CHEATS, ids=lambda path: path.stem)
def test_a_cheat_gains_nothing(climb, path):
    """It is wrong, is stopped, or stands no higher than the honest kernel inside it"""
    end = facts(path)["comes to"]
    if end == "no gain":
        assert climb(path.read_text()) in ("pass", None)
        return
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one, is looked at below
        climb(path.read_text())
    wrong = isinstance(caught.value, Mismatch)
    assert ("wrong" if wrong else "stopped") in end, caught.value


def test_the_catalogue_is_covered():
    """Every item of the catalogue of cheats that can run without a GPU has a submission, the twelve prototypes too"""
    items, prototypes = set(), set()
    for path in CHEATS:
        text = facts(path)["catalogue"]
        prototypes |= set(map(int, re.findall(r"prototype (\d+)", text)))
        items |= set(map(int, re.findall(r"\d+", re.sub(r"prototype \d+", "", text))))
    # 2, 15, 16, 35, 50 and 52 need a GPU or its driver; 29 is asked by the suites of values; 43 and 49 aim at no kernel.
    assert set(range(1, 53)) - items == {2, 15, 16, 29, 35, 43, 49, 50, 52}
    assert prototypes == set(range(1, 13))
