"""What a student sees: the ladder with a place on it, shares of the peak, memory against length, the board."""

import numpy as np
import pytest

from nnkit.grader.errors import OurFault
from nnkit.grader.kernels import machine
from nnkit.grader.kernels.ladder import Standing, figure, growth, landmarks, rungs, words
from nnkit.grader.kernels.look import Look


def test_words_show_the_figures_and_the_place():
    """Ratio, interval, GFLOP/s, share of the peak, and every rung from the best down"""
    ladder = rungs({"pass": (30.0, 0.3), "gold": (1.5, 1.0)})
    standing = Standing("forward", ladder[1], 4.0, 3.9, 4.25, 0.01, 2e8, 1e11, 9, suspicious="it is odd")

    assert words(standing, ladder).splitlines() == [
        "forward: 4 times the reference's processor time [3.90 to 4.25], 20 GFLOP/s = 20 % of what a matrix product reaches on this machine.",
        "  gold: at most 1.5 times",
        "  pass: at most 30 times  <- you are here",
        "Held for review: it is odd",
    ]


def test_words_below_the_ladder():
    """Who stands on no rung stands below them all; an estimate says that it is one"""
    ladder = rungs({"gold": (1.5, 1.0)})
    told = words(Standing("forward", None, 400.0, 0, 0, 1.0, 1e6, 1e11, 0, given_up=True), ladder)

    assert told.startswith("forward: more than 400 times")
    assert told.endswith("  below the ladder  <- you are here")


def test_landmarks_place_the_student_among_others():
    """The slowest first, the student where they belong, bars in proportion"""
    told = landmarks(30.0, {"loops": 0.05, "im2col": 60.0}).splitlines()

    assert [line.split()[0] for line in told] == ["loops", "you", "im2col"]
    assert told[1].count("#") * 2 == told[2].count("#") == 40


@pytest.mark.parametrize(
    ("peaks", "like"),
    [
        ({512: 1 << 20, 1024: 4 << 20, 2048: 16 << 20}, "the square of the length"),
        ({512: 1 << 20, 1024: 2 << 20, 2048: 4 << 20}, "the length"),
        ({512: 1 << 20, 1024: 1 << 20, 2048: 1 << 20}, "hardly anything"),
    ],
)
def test_growth_is_named(peaks, like):
    """Square, line or neither, from the first and the last figure"""
    told = growth("it", peaks)

    assert told.endswith(f"it grows like {like}.")
    assert len(told.splitlines()) == 5


def test_growth_of_a_single_size_says_nothing_of_growth():
    """One figure is no growth"""
    assert "grows" not in growth("it", {32: 5 << 20})


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.4, "99.4"), (1.234, "1.23"), (0.0456, "0.0456"), (0.00012, "0.0001")]
)
def test_figures_have_no_exponents(value, text):
    """Three digits, large numbers whole"""
    assert figure(value) == text


def test_the_peak_is_what_numpy_reaches():
    """A peak is a finite number of operations per second, measured once, with one thread whatever this process has"""
    assert 1e8 < machine.peak_flops() < 1e13
    assert machine.peak_flops() is machine.peak_flops()
    assert machine.machine_class()


def test_a_machine_that_cannot_be_measured_is_our_fault(monkeypatch):
    """A sentence, with the last words of the measurement"""
    monkeypatch.setattr(machine, "PRODUCTS", "raise SystemExit('no numpy')")
    with pytest.raises(OurFault, match="could not be measured: no numpy"):
        machine.peak_flops.__wrapped__()


def test_a_look_at_home(student_in):
    """In the student's own process: GFLOP/s, share of the peak, the others; a large size is left out where it would take long"""
    asked = []
    student = student_in("local", "import numpy as np\ndef f(x): return x @ x\n")
    look = Look(student)

    def size(count):
        def draw(rng):
            asked.append(count)
            return (rng.standard_normal((count, count), np.float32),)

        return 2.0 * count**3, draw

    look.look(lambda module, x: module.f(x), [size(32), size(200)], {"other": 20.0}, "f")

    assert asked == [32, 200]
    assert "GFLOP/s" in look.told[0]
    assert "  you " in look.told[0]
    look.begin()
    look.look(lambda module, x: module.f(x), [size(32), (1e18, size(200)[1])], {"other": 20.0}, "f")
    assert asked == [32, 200, 32]
    assert len(look.told) == 1


def test_a_look_at_memory_at_home(student_in):
    """In the student's own process: a square is told"""
    look = Look(student_in("local", "import numpy as np\ndef f(x): return np.add.outer(x, x).sum(axis=1)\n"))
    sizes = {count: (lambda rng, count=count: (rng.standard_normal(count),)) for count in (512, 1024, 2048)}
    look.look_at_memory(lambda module, x: module.f(x), sizes, "f")

    assert "the square of the length" in look.told[0]


def test_the_board_is_entered_only_by_those_who_want(kernel_of, toy):
    """Without LEADERBOARD = True nothing is measured, and nothing is entered"""
    kernel = kernel_of("def f(x): raise ValueError")
    kernel.enter(False, "a product", toy.run, [toy.case], toy.small, toy.table)

    assert kernel.board == []
    assert "set LEADERBOARD to True" in kernel.told[0]


def test_the_board_takes_the_worse_of_two_comparisons(kernel_of, toy, monkeypatch):
    """Each comparison has a secret of its own; an entry names exercise, rung and processor"""
    kernel, ladder = kernel_of(toy.product), toy.rungs
    tries = iter(Standing("it", ladder[0], ratio, ratio, ratio, 1, 1, 1, 9) for ratio in (0.9, 1.1))
    monkeypatch.setattr(kernel, "_attempt", lambda *_args, exact: next(tries) if exact else None)
    kernel.enter(True, "a product", toy.run, [toy.case], toy.small, toy.table)

    assert kernel.board == [(f"a product, gold, {machine.machine_class()}", 1.1, "asc")]


def test_the_board_holds_back_what_is_suspicious(kernel_of, toy, monkeypatch):
    """What beats the reference by a fifth is looked at by a person first"""
    kernel, ladder = kernel_of(toy.product), toy.rungs
    odd = Standing("it", ladder[0], 0.5, 0.5, 0.5, 1, 1, 1, 9, suspicious="it takes half the time")
    monkeypatch.setattr(kernel, "_attempt", lambda *_args, exact: odd)
    kernel.enter(True, "a product", toy.run, [toy.case], toy.small, toy.table)

    assert kernel.board == []
    assert kernel.told == ["Not entered: it takes half the time."]
