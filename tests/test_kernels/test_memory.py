"""Memory is counted from outside, beyond inputs and result, and cannot be hidden in what was taken before."""

import contextlib

import numpy as np
import pytest

from nnkit.grader.errors import TooSlow
from nnkit.grader.kernels import memory
from nnkit.grader.kernels.memory import TooMuchMemory
from nnkit.grader.kernels.sides import Side

PLAIN = "import numpy as np\ndef f(x): return x * 2\n"
# Takes 64 MiB for a moment, for the large inputs.
TEMPORARY = (
    "import numpy as np\ndef f(x):\n    big = np.ones(128 * len(x))\n    big += 1\n    return x * 2 + big[0] * 0\n"
)
# The same memory, taken at import: by its own peak nothing happens in the call.
ARENA = "import numpy as np\nbig = np.ones(1 << 23)\ndef f(x):\n    big[:] += 1\n    return x * 2\n"
SQUARE = "import numpy as np\ndef f(x): return np.add.outer(x, x).sum(axis=1)\n"


def draw(count):
    return lambda rng: (rng.standard_normal(count),)


def run(module, x):
    return module.f(x)


@pytest.fixture
def taken(module_of):
    def measure(source, large=1 << 16, work=1.0):
        pair = contextlib.nullcontext((module_of(source), module_of(PLAIN, ours=True)))
        return memory.taken(lambda: pair, run, draw(100), draw(large), np.random.default_rng(0), work) / 2**20

    return measure


def test_inputs_and_result_are_not_counted(taken):
    """Doubling 32 MiB takes nothing beyond them; 8 MiB of slack for pages that are counted late"""
    assert taken(PLAIN, 1 << 22) < 8


@pytest.mark.parametrize("source", [TEMPORARY, ARENA], ids=["for a moment", "since the import"])
def test_what_is_taken_is_counted(taken, source):
    """64 MiB are seen, whether they live for a moment or were taken when the file was imported"""
    assert 60 < taken(source) < 80


def test_by_its_own_peak_an_arena_would_hide(module_of):
    """Without the reference's worker as the measure, memory taken at import would be for nothing"""
    side = Side(module_of(ARENA))
    side.meet(None)
    side.call(run, draw(100)(np.random.default_rng(0)))
    before = side.peak()
    side.call(run, draw(100)(np.random.default_rng(0)))

    assert side.peak() - before < 4 << 20


def test_what_would_take_too_long_is_not_tried(taken):
    """From a small input it is seen that the large one would take minutes"""
    with pytest.raises(TooSlow, match="Too slow for its memory to be measured: one call would take"):
        taken(PLAIN, work=1e9)


def test_a_square_is_told_by_its_growth(kernel_of):
    """Four times the length, sixteen times the memory: too fast for a bound of six, and the sentence says what it grows like"""
    kernel = kernel_of(SQUARE, SQUARE)
    sizes = {count: draw(count) for count in (64, 1024, 4096)}

    with pytest.raises(TooMuchMemory, match=r"grows too fast: 1[3-9].*\n(.*\n)*.*the square of the length"):
        kernel.insist_on_memory(run, sizes, most=1000, growth_at_most=6, work=2, name="it")
    with pytest.raises(TooMuchMemory, match=r"Too much memory: 1[23]\d MiB .* at 4096; at most 40 MiB"):
        kernel.insist_on_memory(run, sizes, most=40, work=2, name="it")


def test_a_modest_kernel_passes_and_is_told(kernel_of):
    """What was measured is told also where it is all right"""
    kernel = kernel_of(PLAIN, PLAIN)
    kernel.insist_on_memory(run, {64: draw(64), 4096: draw(4096)}, most=40, work=1, name="it")

    assert kernel.told[0].startswith("it: extra memory at its highest")
