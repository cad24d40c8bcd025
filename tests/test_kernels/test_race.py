"""Each part of the protocol holds, and each defence is there for a cheat that gets through without it."""

import os
import select
import signal
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

from nnkit.grader import cores
from nnkit.grader.compare import Mismatch
from nnkit.grader.errors import OurFault, TooSlow
from nnkit.grader.kernels.kernel import ATTEMPTS, MOST_INCONCLUSIVE, MOST_SECONDS
from nnkit.grader.kernels.ladder import Standing, better, rungs, words, worse
from nnkit.grader.kernels.race import ALL, FEWEST_ROUNDS, ROUNDS, Inconclusive, Race, check_answer, estimate
from nnkit.grader.kernels.sides import Sample, Side, own_core, status, stopped
from nnkit.grader.student import StudentError


def rung_of(standing):
    return standing.rung and standing.rung.name


# The verdict


def test_code_like_the_references_is_on_the_best_rung(race_of, toy):
    """The ratio of equal code is about 1, with few rounds, and the words say so"""
    standing = race_of(toy.product).standing()

    assert 0.7 <= standing.ratio <= 1.4
    assert rung_of(standing) == "gold"
    assert standing.low <= standing.ratio <= standing.high


@pytest.mark.parametrize(("factor", "expected"), [(2, "pass"), (5, None)])
def test_slower_code_stands_lower(race_of, toy, factor, expected):
    """Twice the work stands on the rung of three times, five times the work below the ladder"""
    source = f"import numpy as np\ndef f(x):\n    for _ in range({factor}): y = x @ x\n    return y\n"
    standing = race_of(source).standing()

    assert rung_of(standing) == expected
    assert 0.75 * factor <= standing.ratio <= 1.3 * factor


def test_rounds_are_added_until_every_threshold_is_decided(race_of, toy):
    """A ratio in the midst of a threshold takes more rounds than one far from all"""
    near = race_of(toy.twice, table={"gold": (2.0, 1.0)})
    near.standing()
    far = race_of(toy.product, table={"gold": (10.0, 1.0)})
    far.standing()

    assert len(far.ratios) == FEWEST_ROUNDS
    assert len(near.ratios) >= ROUNDS[0]


def test_exact_ratios_take_all_rounds(race_of, toy):
    """Where the ratio itself is wanted, a clear verdict does not end the comparison"""
    race = race_of(toy.product, table={"gold": (10.0, 1.0)}, exact=True)
    race.standing()

    assert len(race.ratios) >= ROUNDS[0]


def test_rounds_alternate(race_of, toy):
    """S R R S and R S S R: what comes first, and what follows the other side, meets both alike"""
    race, order = race_of(toy.product), []
    for name, side in (("S", race.student), ("R", race.reference)):
        before = side.call
        side.call = lambda run, inputs, name=name, before=before: (order.append(name), before(run, inputs))[1]
    race._round(0)
    race._round(1)

    assert "".join(order) == "SRRSRSSR"


def test_a_small_input_is_tried_first(race_of, toy):
    """What would take minutes never sees the large input, and is told a lower bound of its ratio"""
    loops = (
        "import numpy as np\ndef f(x):\n    rows, columns = x.tolist(), x.T.tolist()\n"
        "    return np.array([[sum(a * b for a, b in zip(r, c)) for c in columns] for r in rows], np.float32)\n"
    )
    race = race_of(loops)
    standing = estimate(race.student, race.reference, toy.run, toy.small, toy.case, race.ladder, race.peak)

    assert standing.given_up
    assert standing.rung is None
    assert standing.ratio > race.ladder[-1].at_most
    assert "more than" in words(standing, race.ladder)
    fast = race_of(toy.product)
    assert estimate(fast.student, fast.reference, toy.run, toy.small, toy.case, fast.ladder, fast.peak) is None


def test_a_verdict_that_is_not_the_best_is_reached_again_in_fresh_workers(kernel_of, toy, monkeypatch):
    """The better of two attempts counts; the best one is not repeated"""
    kernel, ladder, given = kernel_of(toy.product), toy.rungs, []

    def standing(rung, ratio):
        return Standing("it", rung, ratio, ratio, ratio, 1.0, 1.0, 1.0, 9)

    for found, attempts, share in (
        ([standing(None, 9.0), standing(ladder[0], 1.0)], 2, 1.0),
        ([standing(ladder[0], 1.0)], 1, 1.0),
        ([standing(ladder[1], 2.0), standing(None, 9.0)], 2, 0.5),
    ):
        tries = iter(found)
        monkeypatch.setattr(kernel, "_attempt", lambda *_args, tries=tries: next(tries))
        if share == 1.0:
            kernel.climb(toy.run, [toy.case], toy.small, toy.table, given.append)
        else:
            with pytest.raises(TooSlow, match="you are here"):
                kernel.climb(toy.run, [toy.case], toy.small, toy.table, given.append)
        assert given[-1] == share
        assert len(list(tries)) == len(found) - attempts


def test_climbing_gives_the_share_of_the_rung(kernel_of, toy):
    """The whole way: workers, a small input, rounds, a second attempt, half of the points and the ladder in words"""
    given = []
    with pytest.raises(
        TooSlow, match=r"^a product: [\d.]+ times .* GFLOP/s = .*\n  gold: .*\n  pass: .* <- you are here$"
    ):
        kernel_of(toy.twice).climb(toy.run, [toy.case], toy.small, toy.table, given.append)

    assert given == [0.0, 0.5]


def test_the_lowest_of_several_sizes_counts():
    """Of two sizes the worse one counts, of two attempts the better one; the ratio decides on the same rung"""
    ladder = rungs({"gold": (1.0, 1.0), "pass": (2.0, 0.5)})
    some = [
        Standing("it", rung, ratio, 0, 0, 1, 1, 1, 9)
        for rung, ratio in ((ladder[0], 0.9), (ladder[1], 1.5), (ladder[1], 1.7), (None, 5))
    ]

    assert worse(some[0], some[1]) is some[1]
    assert worse(some[1], some[2]) is some[2]
    assert worse(some[2], some[3]) is some[3]
    assert better(some[1], some[2]) is some[1]
    assert better(some[3], some[0]) is some[0]


# Health


def test_a_reference_that_differs_from_itself_decides_nothing(race_of, toy, monkeypatch):
    """Times that jump between two values end in a sentence about this machine, never in a zero"""
    race = race_of(toy.product, exact=True)
    monkeypatch.setattr(Race, "_round", lambda race, number: _pretend(race, number, ours=0.010 * (1 + number // 2 % 2)))

    with pytest.raises(Inconclusive, match="too busy to measure speed: the reference differed from itself"):
        race.standing()


def test_a_reference_that_is_far_from_its_best_decides_nothing(race_of, toy, monkeypatch):
    """When the reference usually takes three times its best time, the machine is to blame"""
    race = race_of(toy.product, exact=True)
    monkeypatch.setattr(
        Race, "_round", lambda race, number: _pretend(race, number, ours=0.010 if number == 4 else 0.030)
    )

    with pytest.raises(Inconclusive, match=r"usually took 3\.0 times its best time"):
        race.standing()


@pytest.mark.parametrize("unsteady", [1, MOST_INCONCLUSIVE - 1])
@pytest.mark.parametrize("first", [True, False])
def test_an_inconclusive_try_is_no_attempt(kernel_of, toy, monkeypatch, unsteady, first):
    """A comparison that decides nothing is repeated, and a verdict below the best one has its two attempts all the same"""
    kernel, ladder = kernel_of(toy.product), toy.rungs
    busy = [Inconclusive("busy")] * unsteady
    lower, lowest = (Standing("it", rung, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9) for rung in (ladder[1], None))
    attempt = Mock(side_effect=[*busy, lower, lowest] if first else [lower, *busy, lowest])
    monkeypatch.setattr(kernel, "_attempt", attempt)

    assert kernel._attempts(toy.run, [toy.case], toy.small, ladder) is lower
    assert attempt.call_count == unsteady + ATTEMPTS


def test_the_best_rung_beside_an_inconclusive_try_counts(kernel_of, toy, monkeypatch):
    """What is fast in one comparison needs no second one"""
    kernel, best = kernel_of(toy.product), Standing("it", toy.rungs[0], 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9)
    monkeypatch.setattr(kernel, "_attempt", Mock(side_effect=[Inconclusive("busy"), best]))

    assert kernel._attempts(toy.run, [toy.case], toy.small, toy.rungs) is best


@pytest.mark.parametrize("in_time", [True, False])
def test_a_machine_that_stays_unsteady_decides_nothing(kernel_of, toy, monkeypatch, in_time):
    """After four such tries, or when their time is over, the test ends inconclusive, whatever a lower rung said"""
    kernel, ladder = kernel_of(toy.product), toy.rungs
    kernel.most_seconds = 1000.0 if in_time else 0.0
    lower = Standing("it", ladder[1], 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9)
    attempt = Mock(side_effect=[lower, *[Inconclusive("busy")] * MOST_INCONCLUSIVE, lower])
    monkeypatch.setattr(kernel, "_attempt", attempt)

    with pytest.raises(Inconclusive):
        kernel._attempts(toy.run, [toy.case], toy.small, ladder)
    assert attempt.call_count == 1 + (MOST_INCONCLUSIVE if in_time else 1)


def test_inconclusive_is_our_fault():
    """So a test that ends so is told as unknown, is tried again, and costs no points"""
    assert issubclass(Inconclusive, OurFault)


def _pretend(race, number, *, ours, theirs=0.01):
    """A round whose times are made up."""
    samples = [Sample(seconds, seconds, 0.0, None) for seconds in (theirs, ours)]
    race._theirs += [samples[0]] * 2
    race._ours += [samples[1]] * 2
    race._after_student += [ours] * 2 if number % 2 else [ours]
    race.ratios.append(theirs / ours)


def test_faster_than_this_machine_is_held_for_review(race_of, toy):
    """A kernel that beats the peak, or the reference by a fifth, keeps its points and goes on no board unseen"""
    race = race_of(toy.product, toy.four_times)
    standing = race.standing()
    assert "of the reference's time" in standing.suspicious
    assert rung_of(standing) == "gold"
    race = race_of(toy.product)
    race.peak = 1e9
    assert "more operations per second than this machine can" in race.standing().suspicious


# Fresh inputs, answers that are checked

BY_FIRST_ENTRIES = (
    "import numpy as np\nkept = {}\ndef f(x):\n    key = x[0, :4].tobytes()\n"
    "    if key not in kept: kept[key] = sum(x @ x for _ in range(8)) / 8\n    return kept[key]\n"
)


def test_every_timed_call_has_inputs_of_its_own(race_of, toy):
    """No two calls of one side get the same inputs, and both sides of a round get the same two"""
    race, seen = race_of(toy.product), {"S": [], "R": []}
    for name, side in (("S", race.student), ("R", race.reference)):
        before = side.call
        side.call = lambda run, inputs, name=name, before=before: (
            seen[name].append(inputs[0].tobytes()),
            before(run, inputs),
        )[1]
    race.standing()

    assert len(set(seen["S"])) == len(seen["S"]) > 2 * FEWEST_ROUNDS
    assert set(seen["S"]) == set(seen["R"])


def test_inputs_of_two_comparisons_are_others(race_of, toy):
    """Each comparison draws from a secret of its own"""
    one, other = (race_of(toy.product)._fresh()[0] for _ in range(2))

    assert not np.array_equal(one, other)


def test_without_fresh_inputs_a_cache_would_win(race_of, toy):
    """A result kept by the first entries of the input is worth nothing; with repeated inputs it would be gold"""
    assert rung_of(race_of(BY_FIRST_ENTRIES).standing()) is None
    assert rung_of(race_of(BY_FIRST_ENTRIES, defences=replace(ALL, fresh_inputs=False)).standing()) == "gold"


HALF = "import numpy as np\ndef f(x):\n    y = np.zeros_like(x)\n    y[:9] = x[:9] @ x\n    return y\n"
REMEMBERED = (
    "import numpy as np\ncalls = [0]\ndef f(x):\n    calls[0] += 1\n"
    "    return x @ x if calls[0] < 5 else np.zeros_like(x)\n"
)


@pytest.mark.parametrize("source", [HALF, REMEMBERED], ids=["a part of it", "right as long as it is tried"])
def test_without_checking_every_answer_a_part_of_the_work_would_win(race_of, toy, source):
    """Answers that are not computed are wrong; unchecked they would be gold"""
    with pytest.raises(Mismatch, match="answer that was timed"):
        race_of(source).standing()
    assert rung_of(race_of(source, defences=replace(ALL, checks_every_answer=False)).standing()) == "gold"


def test_without_a_derived_tolerance_half_precision_would_win(race_of, toy):
    """Inputs rounded to float16 differ by far more than float32 can lose; with a loose tolerance they would pass"""
    source = "import numpy as np\ndef f(x):\n    x = x.astype(np.float16).astype(np.float32)\n    return x @ x\n"
    # 384 products of size 1, 16 eps sqrt(384) of a scale of 100: 2e-3; rounding to float16 loses 1e-2.
    case = replace(toy.case, atol=2e-3)
    table = {"gold": (4.0, 1.0)}
    with pytest.raises(Mismatch):
        race_of(source, case=case, table=table).standing()
    assert rung_of(race_of(source, case=replace(case, atol=1.0), table=table).standing()) == "gold"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (np.zeros((2, 2)), "float64"),
        (np.zeros((2, 3), np.float32), "shape"),
        (np.full((2, 2), np.nan, np.float32), "NaN"),
        (None, "timed"),
        ([], "timed"),
        ((np.zeros((2, 2), np.float32),) * 2, "timed"),
    ],
    ids=["dtype", "shape", "NaN", "nothing", "an empty list", "two of them"],
)
def test_what_is_no_answer_is_told(answer, told):
    """Another dtype, another shape, NaN, nothing at all, too many: each has its sentence"""
    with pytest.raises(Mismatch, match=told):
        check_answer(answer, np.zeros((2, 2), np.float32), 1e-3)


def test_a_reference_that_is_not_finite_is_our_fault():
    """NaN in an expected value would agree with NaN in an answer"""
    with pytest.raises(OurFault, match="not finite"):
        check_answer(np.array([np.nan]), np.array([np.nan]), 1.0)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def f(x): return x.T @ x if len(x) > 5 else x", Mismatch),
        ("import os\ndef f(x): os._exit(0)", StudentError),
        ("def f(x): raise ValueError('no')", ValueError),
        ("import numpy as np\ndef f(x): return (x @ x for _ in range(1))", Mismatch),
        ("import numpy as np\ndef f(x): return np.array([x], object)", StudentError),
        ("import ctypes\ndef f(x): return ctypes.string_at(0)", StudentError),
    ],
    ids=["wrong", "ends its process", "raises", "lazy", "an array of objects", "crashes"],
)
def test_what_fails_is_a_sentence_of_the_students(race_of, source, error):
    """Wrong, gone, raised, lazy: the test fails with the student's own error, not with one of ours"""
    with pytest.raises(error):
        race_of(source).standing()


# The frozen worker

PREPARES = (
    "import numpy as np, threading, time\nstock = []\n"
    "def make():\n    end = time.thread_time() + 0.02\n    while time.thread_time() < end: pass\n    return 0.0\n"
    "def keep():\n    while True:\n        if len(stock) < 4: stock.append(make())\n        else: time.sleep(0.0005)\n"
    "def f(x):\n    if not threading._active_limbo_lock or threading.active_count() < 2:\n"
    "        threading.Thread(target=keep, daemon=True).start()\n"
    "    return x @ x + (stock.pop() if stock else make())\n"
)


def test_without_freezing_work_between_calls_would_be_free(race_of, toy, module_of):
    """A thread that prepares things between the calls stands still there, and what it does within them is charged"""
    race = race_of(PREPARES, isolated=False, defences=replace(ALL, watches_waiting=False))
    assert rung_of(race.standing()) is None

    unwatched = race_of(PREPARES, isolated=False, defences=replace(ALL, freezes=False))
    unwatched._warm_up()
    before = unwatched.student.transport.cpu()
    while unwatched.student.transport.cpu() < before + 0.05:
        os.sched_yield()  # nobody asks it anything, and it works


def test_a_stopped_worker_uses_no_time(race_of, toy):
    """Between calls every thread of the worker stands still"""
    race = race_of(PREPARES, isolated=False)
    race.student.call(race.run, race._fresh())
    pid = race.student.process.pid
    before = race.student.transport.cpu()
    race.reference.call(race.run, race._fresh())

    assert stopped(pid)
    assert race.student.transport.cpu() == before


def test_a_worker_goes_on_after_the_race(race_of, toy):
    """What is not timed is answered as ever"""
    race = race_of(toy.product)
    race.student.call(race.run, race._fresh())
    race.student.release()

    assert race.student.module.echo(3) == 3


# Work elsewhere, clocks

FORKS = (
    "import numpy as np, os\ndef f(x):\n    read, write = os.pipe()\n    pid = os.fork()\n    if pid == 0:\n"
    "        y = sum(x @ x for _ in range(30)) / 30\n        with os.fdopen(write, 'wb') as pipe: pipe.write(y.tobytes())\n        os._exit(0)\n"
    "    os.close(write)\n    with os.fdopen(read, 'rb') as pipe: data = pipe.read()\n    os.waitpid(pid, 0)\n"
    "    return np.frombuffer(data, np.float32).reshape(x.shape).copy()\n"
)


def test_without_watching_the_waiting_another_process_would_do_the_work(race_of, toy):
    """Where no jail forbids a fork, a call that waits far more than it works is told so; unwatched it would be gold"""
    table = {"gold": (20.0, 1.0)}  # a fork is not for nothing
    with pytest.raises(TooSlow, match="outside of the process"):
        race_of(FORKS, isolated=False, table=table).standing()
    unwatched = race_of(FORKS, isolated=False, table=table, defences=replace(ALL, watches_waiting=False)).standing()
    assert rung_of(unwatched) == "gold"


def test_the_jail_allows_no_other_process(race_of, toy):
    """Behind the lid the fork itself is refused"""
    with pytest.raises(OSError, match=r"."):
        race_of(FORKS).standing()


def test_clocks_inside_do_not_matter(race_of, toy):
    """A submission that stops all the clocks it can reach stands where it stood"""
    source = toy.four_times + (
        "import time\nfor name in ('process_time', 'perf_counter', 'monotonic', 'time', 'thread_time'):\n"
        "    setattr(time, name, lambda *a: 0.0)\ntime.clock_gettime = lambda *a: 0.0\n"
    )

    assert rung_of(race_of(source).standing()) is None


def test_the_reference_is_out_of_reach(race_of, toy):
    """What a submission does to numpy stays in its own worker: the reference is as fast as ever"""
    source = toy.four_times + (
        "old = np.matmul\nclass Slow(np.ndarray): pass\nnp.matmul = lambda *a, **k: [old(*a, **k) for _ in range(50)][0]\n"
    )

    assert rung_of(race_of(source).standing()) is None


def test_sides_need_workers(student_in, toy):
    """Nothing is timed in the grader's own process"""
    with pytest.raises(OurFault, match="between workers"):
        Side(student_in("local", toy.product))


def test_two_comparisons_use_two_cores(monkeypatch):
    """As long as there are enough cores no two comparisons share one; when all are taken they do"""
    monkeypatch.setattr(cores, "CLAIM", f"nnkit-test-{os.getpid()}")  # others on this machine may be at it
    here = sorted(os.sched_getaffinity(0))
    with own_core() as first, own_core() as second:
        assert first in here
        assert second in here
        assert first != second or len(here) == 1
    with own_core() as again:
        assert again == first
        with own_core(), own_core() as shared:
            assert shared in here


def test_a_worker_is_pinned(race_of, toy):
    """Where that is possible"""
    race = race_of(toy.product)
    with own_core() as core:
        race.student.meet(core)
        pid = race.student.process.pid

        assert os.sched_getaffinity(pid) == {core}
        assert status(pid)["Threads"] == 1


LARGE_ONLY = "def f(x):\n    if len(x) > 100: {}\n    return x @ x\n"


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ("os._exit(3)", "crashed"),
        ("ctypes.string_at(0)", "crashed"),
        ("raise MemoryError", "out_of_memory"),
    ],
)
def test_a_worker_that_dies_while_it_is_timed_is_the_submissions_end(kernel_of, toy, what, state):
    """However it ends, the submission's state says so, not only the test: small inputs had it live"""
    kernel = kernel_of("import ctypes, os\n" + LARGE_ONLY.format(what))
    with pytest.raises((StudentError, MemoryError)):
        kernel.climb(toy.run, [toy.case], toy.small, toy.table, lambda _share: None)

    assert [end[0] for end in kernel._student.transport.ends] == [state]


def test_a_worker_that_dies_while_its_memory_is_measured_is_the_submissions_end(kernel_of, toy):
    """The same where memory is measured"""
    kernel = kernel_of("import os\n" + LARGE_ONLY.format("os._exit(3)"))
    with pytest.raises(StudentError):
        kernel.insist_on_memory(toy.run, {48: toy.small.draw, 384: toy.draw}, most=40, work=3, name="f")

    assert [end[0] for end in kernel._student.transport.ends] == ["crashed"]


@pytest.mark.parametrize("when", ["before the question", "after the answer"])
def test_a_worker_that_dies_between_two_calls_is_told(module_of, toy, when):
    """Also where no question waits for its answer: the reason is the real one, and of the reference it is our fault"""
    for ours, expected in ((False, StudentError), (True, OurFault)):
        side = Side(module_of(toy.product, ours=ours))
        side.meet(None)
        side.call(toy.run, toy.small.draw(np.random.default_rng(0)))
        side.release()
        signal.pidfd_send_signal(side.process._pidfd, signal.SIGKILL)
        select.select([side.process._pidfd], [], [])
        with pytest.raises(expected, match="The system killed it"):
            side.freeze() if when == "after the answer" else side.call(
                toy.run, toy.small.draw(np.random.default_rng(0))
            )

        assert [end[0] for end in side.transport.ends] == ["killed"]


def test_all_attempts_at_a_verdict_share_one_time(kernel_of, toy, monkeypatch):
    """Two attempts at two sizes: each race gets its part of what is left, and never more than its attempt has"""
    given = []
    told = Standing("a product", None, 9.0, 9.0, 9.0, 1.0, 1.0, 1.0, 3)

    def standing(race):
        given.append(race.seconds)
        return replace(told, rung=race.ladder[-1])

    monkeypatch.setattr(Race, "standing", standing)
    with pytest.raises(TooSlow):
        kernel_of(toy.product).climb(toy.run, [toy.case, toy.case], toy.small, toy.table, lambda _share: None)

    part = MOST_SECONDS / ATTEMPTS
    assert all(seconds <= part / 2 for seconds in given[:1])
    assert all(part / 4 < seconds <= part for seconds in given[1:2])
    assert part / 2 < given[2] <= part  # what the first attempt left, the second one has
    assert len(given) == 4
