"""Workers for kernels: pairs of a student's and the reference's, in the jail or without it."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nnkit.grader.kernels.kernel import MOST_INCONCLUSIVE, Kernel
from nnkit.grader.kernels.ladder import rungs
from nnkit.grader.kernels.race import ALL, Case, Inconclusive, Race
from nnkit.grader.kernels.sides import Side
from nnkit.grader.processes import Patience, Zygote
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.student import Student
from nnkit.grader.transport import Files

HOSTILE = ("ctypes", "gc", "os", "signal", "socket", "struct", "sys", "threading", "time")
ALLOWED = ("__future__", "typing", "collections", "dataclasses", "functools", "itertools", "math", "numpy", "nnkit")
PLENTY = Budget(60.0, 600.0, Patience(20.0, 200.0), Patience(20.0, 200.0))
# A product of two matrices: about two milliseconds, half a megabyte there and half a megabyte back.
PRODUCT = "import numpy as np\ndef f(x): return x @ x\n"
SIDE = 384
TWICE = "import numpy as np\ndef f(x): return (x @ x + x @ x) / 2\n"
FOUR_TIMES = "import numpy as np\ndef f(x): return sum(x @ x for _ in range(4)) / 4\n"
LADDER = {"gold": (1.5, 1.0), "pass": (3.0, 0.5)}


def draw(rng):
    return (rng.standard_normal((SIDE, SIDE), np.float32),)


def run(module, x):
    return module.f(x)


PRODUCTS = Case("a product", draw, 2 * SIDE**3, 1e-2)
SMALL = Case("a small product", lambda rng: (rng.standard_normal((48, 48), np.float32),), 2 * 48**3, 1e-2)


@pytest.fixture(scope="session")
def jailed():
    """A zygote as the kernel tracks have it, that can also load what hostile students would like to have."""
    zygote = Zygote(torch=False, modules=HOSTILE)
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def unjailed():
    """The same without isolation: for what the jail forbids."""
    zygote = Zygote(torch=False, modules=HOSTILE, level="none")
    yield zygote
    zygote.close()


@pytest.fixture
def module_of(jailed, request):
    """Makes a module of a text: `module_of("def f(x): ...")`, in a worker of its own."""
    made = []

    def make(source, *, isolated=True, **options):
        zygote = jailed if isolated else request.getfixturevalue("unjailed")
        client = zygote.client()
        files = Files({"sub.py": source.encode()}, "sub", "29k", (*ALLOWED, *HOSTILE))
        module = Student(RemoteTransport(client, Ceilings(4 << 30, 600), PLENTY), files, observe=False, **options)
        made.extend((client, module))
        return module

    yield make
    for each in reversed(made):
        each.close()


class RepeatedRace(Race):
    """A race that is run again where this machine was too unsteady for it, as often as `Kernel` runs one."""

    def standing(self):
        """The standing of the first race that decides something."""
        for _ in range(MOST_INCONCLUSIVE - 1):
            try:
                return super().standing()
            except Inconclusive:
                for rounds in (self.ratios, self._theirs, self._ours, self._after_student):
                    rounds.clear()
        return super().standing()


@pytest.fixture
def race_of(module_of):
    """Makes a race of a text against another one: `race_of(TWICE)`."""

    def make(source, reference=PRODUCT, *, defences=ALL, isolated=True, case=PRODUCTS, table=LADDER, **options):
        sides = [
            Side(module, freezes=defences.freezes)
            for module in (module_of(source, isolated=isolated), module_of(reference, isolated=isolated, ours=True))
        ]
        for side in sides:
            side.meet(None)
        return RepeatedRace(*sides, run, case, rungs(table), 1e13, defences, **options)

    return make


@pytest.fixture
def kernel_of(module_of):
    """Makes the fixture `kernel` for a text: `kernel_of(TWICE)`."""

    def make(source, reference=PRODUCT, *, defences=ALL):
        return Kernel(module_of(source), lambda: (module_of(source), module_of(reference, ours=True)), defences)

    return make


@pytest.fixture(scope="session")
def toy():
    """What is timed here: a product of two matrices, as fast as numpy does it, twice and four times as slow."""
    return SimpleNamespace(
        product=PRODUCT, twice=TWICE, four_times=FOUR_TIMES, case=PRODUCTS, small=SMALL, table=LADDER,
        rungs=rungs(LADDER), run=run, draw=draw, side=SIDE,
    )  # fmt: skip


@pytest.fixture
def device(tmp_path):
    """The stand-in for a device, as the grader imports it."""
    path = Path(__file__).with_name("pretend.py")
    spec = importlib.util.spec_from_file_location("pretend", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    found.FOLDER = str(tmp_path)
    return found
