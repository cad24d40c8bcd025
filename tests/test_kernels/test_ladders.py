"""Honest solutions, from pure loops to the best, land on their rungs (docs/kernels.md has the figures).

The ones that stand far from every threshold are tried every time; all of them, and again and again, with `-m benchmark`.
"""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnkit.grader import course
from nnkit.grader.errors import TooSlow
from nnkit.grader.kernels.kernel import Kernel
from nnkit.grader.kernels.memory import TooMuchMemory
from nnkit.grader.processes import Zygote
from nnkit.grader.remote import RemoteTransport
from nnkit.grader.seeds import Seeds
from nnkit.grader.student import Student
from nnkit.grader.subjects import OUR_CEILINGS, OURS, makers, submission
from nnkit.grader.transport import Files

SOLUTIONS = Path(__file__).parents[1] / "solutions"
# Forward and backward; for 34k also whether the memory is bounded.
CONV = {
    "loops": (None, None),
    "every_output": (None, None),
    "einsum": (None, "pass"),
    "one_channel": ("pass", "pass"),
    "pixel_products": ("silver", "silver"),
    "tensordot": ("silver", "gold"),
    "taps": ("gold", "gold"),
    "einsum_planned": ("silver", "silver"),
    "im2col": ("gold", "gold"),
    "reference": ("gold", "gold"),
}
ATTENTION = {
    "pairs": (None, None, None),
    "one_query": ("pass", "pass", True),
    "whole_matrix": ("silver", "silver", False),
    "one_head": ("silver", "silver", False),
    "row_blocks": ("silver", "silver", True),
    "small_tiles": ("silver", "silver", True),
    "reference": ("silver", "silver", True),
}
SAME = (0.85, 1.18)
MOST_SECONDS = 20.0


@pytest.fixture(scope="module")
def workers():
    zygote = Zygote(torch=False)
    client = zygote.client()
    yield client
    client.close()
    zygote.close()


@pytest.fixture(scope="module")
def suites():
    """The hidden suites of both tracks, by number."""
    found = {}
    for number in ("29k", "34k"):
        spec = importlib.util.spec_from_file_location(f"hidden_{number}", course.section(number).hidden_suite)
        found[number] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found[number])
    return found


@pytest.fixture
def kernel_of(workers):
    """Makes the fixture `kernel` for one of the solutions."""

    def make(number, name):
        section = course.section(number)
        path = section.reference if name == "reference" else SOLUTIONS / section.name / f"{name}.py"
        files, reference = (submission(section, {section.stub.name: p.read_bytes()}) for p in (path, section.reference))

        def module(files, **options):
            return Student(RemoteTransport(workers, OUR_CEILINGS, OURS), files, observe=False, **options)

        return Kernel(module(files), lambda: (module(files), module(reference, ours=True)))

    return make


def rung_by(test, kernel):
    """The rung on which a hidden test of speed sees a kernel."""
    shares = []
    try:
        test(None, kernel, shares.append)
    except TooSlow as told:
        if not shares[-1]:
            return None, str(told)
    place = next(line for line in kernel.told[0].splitlines() if line.endswith("<- you are here"))
    return place.split(":")[0].strip(), kernel.told[0]


def bounded(suite, kernel):
    """Whether all hidden tests of memory pass."""
    try:
        for test in (suite.test_memory_forward, suite.test_memory_backward, suite.test_memory_of_a_long_sequence):
            test(None, kernel)
    except TooMuchMemory:
        return False
    except TooSlow:
        return None
    return True


@pytest.mark.parametrize("name", ["loops", "taps"])
def test_convolutions_land_on_their_rungs(suites, kernel_of, name):
    """Loops over numbers stand below the ladder, a product for each offset on the highest rung"""
    assert rung_by(suites["29k"].test_speed_forward, kernel_of("29k", name))[0] == CONV[name][0]


@pytest.mark.parametrize("name", ["pairs", "one_head"])
def test_attentions_land_on_their_rungs(suites, kernel_of, name):
    """A loop over pairs stands below the ladder, the formula head by head on the highest rung of time, not of memory"""
    assert rung_by(suites["34k"].test_speed_forward, kernel_of("34k", name))[0] == ATTENTION[name][0]
    if name == "one_head":
        assert bounded(suites["34k"], kernel_of("34k", name)) == ATTENTION[name][2]


@pytest.mark.benchmark
@pytest.mark.parametrize("name", CONV)
def test_every_convolution_lands_on_its_rungs(suites, kernel_of, name, capsys):
    """Each of ten honest solutions, forward and backward; one verdict takes at most 20 s on a quiet machine"""
    for place, test in enumerate((suites["29k"].test_speed_forward, suites["29k"].test_speed_backward)):
        start = time.process_time()
        rung, told = rung_by(test, kernel_of("29k", name))
        with capsys.disabled():
            print(f"\n29k {name}: {told.splitlines()[0]} -> {rung}")
        assert rung == CONV[name][place]
        assert time.process_time() - start < MOST_SECONDS


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ATTENTION)
def test_every_attention_lands_on_its_rungs(suites, kernel_of, name, capsys):
    """Each of seven honest solutions, forward, backward, and in memory"""
    suite = suites["34k"]
    for place, test in enumerate((suite.test_speed_forward, suite.test_speed_backward)):
        rung, told = rung_by(test, kernel_of("34k", name))
        with capsys.disabled():
            print(f"\n34k {name}: {told.splitlines()[0]} -> {rung}")
        assert rung == ATTENTION[name][place]
    kernel = kernel_of("34k", name)
    assert bounded(suite, kernel) == ATTENTION[name][2]
    with capsys.disabled():
        print("\n".join(kernel.told))


@pytest.fixture
def neighbours():
    """Two processes that do nothing but keep cores busy, with arrays that no cache holds."""
    code = "import numpy as np\nx = np.ones(1 << 23)\nwhile True: x += 1"
    busy = [
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}) for _ in range(2)
    ]
    yield
    for each in busy:
        each.kill()
        each.wait()


@pytest.mark.benchmark
def test_the_reference_against_itself(suites, kernel_of, neighbours, capsys):
    """Twenty verdicts of twenty lie within 0.85 and 1.18, with two busy neighbours"""
    suite, kernel = suites["29k"], kernel_of("29k", "reference")
    ratios = []
    for _ in range(20):
        found = kernel._attempt(
            lambda module, x, w, b: module.conv2d_fast(x, w, b), [suite.case(kernel, 16, 32, 26, 64)],
            suite.case(kernel, 4, 8, 16, 16), suite_ladder(suite), time.monotonic() + MOST_SECONDS, exact=True,
        )  # fmt: skip
        ratios.append(found.ratio)
    with capsys.disabled():
        print("\nA/A:", " ".join(f"{ratio:.3f}" for ratio in ratios))

    assert SAME[0] <= min(ratios) <= max(ratios) <= SAME[1]


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["taps", "pixel_products", "one_channel"])
def test_the_same_kernel_lands_on_the_same_rung(suites, kernel_of, neighbours, name):
    """Twenty verdicts of twenty are the same, with two busy neighbours"""
    found = [rung_by(suites["29k"].test_speed_forward, kernel_of("29k", name))[0] for _ in range(20)]

    assert found == [CONV[name][0]] * 20


def suite_ladder(suite):
    from nnkit.grader.kernels.ladder import rungs

    return rungs(suite.FORWARD)


@pytest.mark.parametrize("number", ["29k", "34k"])
def test_a_track_is_a_section(number):
    """29k and 34k are found, read, and made subjects like every other section; they come right after 29 and 34"""
    numbers = [section.number for section in course.sections()]
    assert numbers[numbers.index(number) - 1] == number.removesuffix("k")
    section = course.section(f"s{number}")
    with makers(section, Seeds(b"x"), None) as made:
        subject = made.subject(made.reference_files)

    assert isinstance(subject.kernel, Kernel)
    assert isinstance(made.reference_files, Files)
