"""Section 19: learning rate. Hidden tests."""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import assert_close, assert_equal, assert_leaves_inputs_alone, assert_refuses


def bowl(rng, curvatures):
    """Return a symmetric matrix with these eigenvalues, in directions that are no axes."""
    axes = np.linalg.qr(rng.standard_normal((len(curvatures), len(curvatures))))[0]
    H = axes * rng.permutation(curvatures) @ axes.T
    return (H + H.T) / 2


def curvatures(rng, d, top):
    """Return d eigenvalues: top, and others between 0.1 and 0.9 of it."""
    return top * np.append(rng.uniform(0.1, 0.9, d - 1), 1.0)


@weight(3)
@number("19.H1")
def test_two_over_the_largest_curvature(student, rng):
    """max_stable_lr is 2 over the largest eigenvalue, for one to six weights and for curvatures from 0.001 to 10 000"""
    for d, top in [(3, 5.0), (2, 1e-3), (6, 1e4), (4, 0.7), (1, 30.0)]:
        H = bowl(rng, curvatures(rng, d, top * rng.uniform(1, 2)))

        # Eigenvalues are known to 1e-15 of the largest; power iteration may stop at 1e-10.
        assert_close(
            student.max_stable_lr(H), 2 / np.linalg.svd(H, compute_uv=False)[0], rtol=1e-9, name="max_stable_lr"
        )


@weight(1)
@number("19.H1")
def test_flat_directions_do_not_matter(student, rng):
    """Directions without any curvature leave the largest stable rate as it is"""
    top = float(rng.uniform(1, 5))

    assert_close(student.max_stable_lr(bowl(rng, [0.0, top, 0.0, 0.3 * top])), 2 / top)


@weight(2)
@number("19.H1")
def test_edge_of_stability(student, rng):
    """Descent at 0.995 times the largest stable rate comes to the minimum, at 1.005 times it runs away"""
    H = bowl(rng, curvatures(rng, 5, rng.uniform(1, 50)))
    limit = student.max_stable_lr(H)
    steepest = np.linalg.eigh(H)[1][:, -1]

    # Along the steepest direction a step multiplies by -0.99 or -1.01: 500 steps leave 0.0066 or 145. The other
    # directions have at most 0.9 of the curvature and shrink faster.
    for share, low, high in [(0.995, 0.0, 0.01), (1.005, 100.0, 200.0)]:
        w = steepest + 0.1 * rng.standard_normal(5) @ (np.eye(5) - np.outer(steepest, steepest))
        for _ in range(500):
            if (size := np.linalg.norm(w)) > 1e6:
                break
            w = w - share * limit * (H @ w)
        assert low <= size <= high, f"at {share} times your limit a start of size 1 has size {size:.3g} after 500 steps"


# A rate is a handful of operations on numbers below 2, each rounded by 1e-16 of its size, and a power adds 1e-16 for each
# of at most 40 factors. 1e-12 is absolute, for what should be 0 may be the rest of a rounded cosine.
ATOL = 1e-12


def assert_rates(yours, expected, steps, settings):
    """Hold each rate by itself, so that a message tells the step; all of them were asked for before."""
    for t, mine, theirs in zip(steps, yours, expected, strict=True):
        assert_close(mine, theirs, atol=ATOL, name=f"the rate of step {t} ({settings})")


def rates_of(module, kind, steps, base, **p):
    """Return the rates of some steps, all of them before any is looked at: single ones are the same in many mistakes."""
    return [module.schedule(kind, t, base, **p) for t in steps]


@weight(1)
@number("19.H2")
def test_constant(student, rng):
    """'constant' is base in every step"""
    base = float(rng.uniform(0.01, 2))

    steps = [0, 1, 1000]
    assert_rates(rates_of(student, "constant", steps, base), [base] * 3, steps, "constant")


@weight(3)
@number("19.H2")
def test_staircase(student, rng):
    """'step' multiplies by the factor once at t = every, once more at 2 every, and never between"""
    for every in (5, 3, 1):
        base, factor = float(rng.uniform(0.1, 2)), float(rng.uniform(0.2, 0.9))
        steps = [every, 2 * every, every + 1, 2 * every - 1, 0, 3 * every]
        expected = [base * factor ** (t // every) for t in steps]

        yours = rates_of(student, "step", steps, base, every=every, factor=factor)
        assert_rates(yours, expected, steps, f"every {every}")


@weight(2)
@number("19.H2")
def test_exponential(student, rng):
    """'exponential' multiplies by decay in every step"""
    base, decay = float(rng.uniform(0.1, 2)), float(rng.uniform(0.7, 0.9))
    steps = [2, 3, 0, 1, 30]

    yours = rates_of(student, "exponential", steps, base, decay=decay)
    assert_rates(yours, [base * decay**t for t in steps], steps, "exponential")


@weight(3)
@number("19.H9")
def test_cosine(student, reference, rng):
    """'cosine' agrees with the reference from t = 0 to twice the total"""
    for total in (7, 1):
        base, least = float(rng.uniform(0.5, 2)), float(rng.uniform(0.05, 0.3))
        steps = [total // 2, total - 1, *range(2 * total + 1)]
        yours, expected = (
            rates_of(module, "cosine", steps, base, total=total, min_lr=least) for module in (student, reference)
        )

        assert_rates(yours, expected, steps, f"total {total}")


@weight(2)
@number("19.H9")
def test_after_the_end(student, rng):
    """Behind the end a cosine stays at min_lr, however many steps follow"""
    base, least = float(rng.uniform(0.5, 2)), float(rng.uniform(0.05, 0.3))

    steps = [9, 8, 16, 1000]
    assert_rates(rates_of(student, "cosine", steps, base, total=8, min_lr=least), [least] * 4, steps, "total 8")


@weight(3)
@number("19.H10")
def test_warmup_cosine(student, reference, rng):
    """'warmup_cosine' agrees with the reference from t = 0 to twice the total"""
    for warmup, total in [(2, 6), (1, 3)]:
        base, least = float(rng.uniform(0.5, 2)), float(rng.uniform(0.05, 0.3))
        p = {"warmup": warmup, "total": total, "min_lr": least}
        steps = range(2 * total + 1)
        yours, expected = (rates_of(module, "warmup_cosine", steps, base, **p) for module in (student, reference))

        assert_rates(yours, expected, steps, f"warmup {warmup}, total {total}")


@weight(2)
@number("19.H10")
def test_warmup_is_a_straight_line(student, rng):
    """Warmup rises in equal steps, its first rate is one of them and not 0, and it meets the cosine at base"""
    base, warmup = float(rng.uniform(0.5, 2)), int(rng.integers(4, 9))
    steps = [0, warmup, warmup - 1, 1]

    yours = rates_of(student, "warmup_cosine", steps, base, warmup=warmup, total=20, min_lr=0.1)
    expected = [base * (t + 1) / (warmup + 1) for t in steps]
    assert_rates(yours, expected, steps, f"warmup {warmup}, total 20")


@weight(1)
@number("19.H10")
def test_no_warmup(student, rng):
    """With warmup 0 'warmup_cosine' is 'cosine'"""
    base, least = float(rng.uniform(0.5, 2)), float(rng.uniform(0.05, 0.3))

    yours = rates_of(student, "warmup_cosine", range(8), base, warmup=0, total=6, min_lr=least)
    cosine = [least + 0.5 * (base - least) * (1 + math.cos(math.pi * min(t, 6) / 6)) for t in range(8)]
    assert_rates(yours, cosine, range(8), "warmup 0, total 6")


@weight(1)
@number("19.H10")
def test_nothing_but_warmup(student, rng):
    """With warmup = total the rate drops to min_lr as soon as the warmup is over"""
    base, least = float(rng.uniform(0.5, 2)), float(rng.uniform(0.05, 0.3))

    steps = [5, 6, 4]
    yours = rates_of(student, "warmup_cosine", steps, base, warmup=5, total=5, min_lr=least)
    assert_rates(yours, [least, least, base * 5 / 6], steps, "warmup 5, total 5")


@weight(2)
@number("19.H6")
def test_cosine_of_torch(student, rng):
    """'cosine' gives the rates that PyTorch's CosineAnnealingLR gives from its own, recursive formula"""
    base, least, total = float(rng.uniform(0.5, 2)), float(rng.uniform(0.05, 0.3)), int(rng.integers(10, 15))
    rate, expected = base, []
    for t in range(1, total + 1):
        now, before = (1 + math.cos(math.pi * s / total) for s in (t, t - 1))
        rate = least + (rate - least) * now / before
        expected.append(rate)

    # Every step divides by 1 + cos, which near the end is as small as 0.02 and known to 1e-16: below 1e-13 in all.
    steps = range(1, total + 1)
    assert_rates(rates_of(student, "cosine", steps, base, total=total, min_lr=least), expected, steps, f"total {total}")


def assert_verdicts(student, curves, expected, names):
    """Hold each verdict by itself, so that a message tells the curve; all of them are asked for before."""
    verdicts = [student.judge(np.array(curve)) for curve in curves]
    for name, yours, verdict in zip(names, verdicts, expected, strict=True):
        assert_equal(yours, verdict, name=f"the verdict on {name}")


@weight(3)
@number("19.H3")
def test_losses_that_are_no_numbers(student, rng):
    """One loss that is NaN or infinite, also in the middle of a good curve, means too high"""
    good = np.linspace(5, 1, 20) * rng.uniform(0.99, 1.01)
    cases = [(bad, place) for bad in (math.nan, math.inf) for place in (19, 7, 0)]
    curves = [np.where(np.arange(20) == place, bad, good) for bad, place in cases]

    names = [f"20 losses with {bad} at index {place}" for bad, place in cases]
    assert_verdicts(student, curves, ["too high"] * 6, names)


@weight(2)
@number("19.H3")
def test_ends_higher_than_it_began(student, rng):
    """A curve that falls almost all the way but ends above its start was too high, as is one that only climbs"""
    falls = np.append(np.linspace(3, 1, 12), 3 + rng.uniform(0.1, 2))

    names = ["a curve that falls but ends above its start", "a curve that only climbs"]
    assert_verdicts(student, [falls, np.linspace(1, rng.uniform(2, 3), 6)], ["too high"] * 2, names)


def with_rises(rng, rises, steps):
    """Return a curve from about 10 to below 5 that rises in so many of its steps, by little."""
    moves = np.append(np.full(rises, 0.1), np.full(steps - rises, -6.0 / (steps - rises)))
    return 10 * rng.uniform(0.99, 1.01) + np.append(0.0, np.cumsum(rng.permutation(moves)))


@weight(3)
@number("19.H3")
def test_rises(student, rng):
    """4 rises in 10 steps and 3 in 9 are more than 30 % and so too high; 3 in 10 are not, 1 in 8 neither"""
    cases = [(4, 10), (3, 9), (3, 10), (1, 8)]
    expected = ["too high", "too high", "just right", "just right"]

    curves = [with_rises(rng, rises, steps) for rises, steps in cases]
    assert_verdicts(student, curves, expected, [f"{rises} rises in {steps} steps" for rises, steps in cases])


@weight(1)
@number("19.H3")
def test_standing_still_is_no_rise(student, rng):
    """A curve that never moves was too low, and one that falls in stairs just right: equal losses are no rise"""
    top = float(rng.uniform(1, 5))

    curves = [top * np.repeat([1.0, 0.7, 0.4], 4), np.repeat(top, 6)]
    assert_verdicts(student, curves, ["just right", "too low"], ["a curve in stairs", "a flat curve"])


@weight(2)
@number("19.H3")
def test_ten_percent_of_the_first(student, rng):
    """A fall of 12 % is just right and one of 8 % too low, whether the losses are thousands or thousandths"""
    cases = [(scale, share) for scale in (1e3, 1e-3, 1.0) for share in (0.88, 0.92)]
    curves = [scale * rng.uniform(1, 1.5) * np.linspace(1, share, 7) for scale, share in cases]

    expected = ["just right" if share == 0.88 else "too low" for _, share in cases]
    names = [f"a fall by {1 - share:.0%} from about {scale:g}" for scale, share in cases]
    assert_verdicts(student, curves, expected, names)


@weight(1)
@number("19.H3")
def test_one_loss(student, rng):
    """One single loss tells of no fall, and so is too low"""
    assert_equal(student.judge(rng.uniform(1, 5, 1)), "too low")


@weight(2)
@number("19.H15")
def test_noisy_curves(student, reference, rng):
    """Noisy curves, falling, flat and climbing, get the reference's verdict"""
    ways = [(size, pace) for size in (0.02, 0.5) for pace in (0.2, 0.03, 0.001, -0.01)]
    curves = [np.exp(-pace * np.arange(25)) * (1 + size * rng.uniform(0, 1, 25)) for size, pace in ways]

    names = [f"a fall of {pace} per step with noise of {size:.0%}" for size, pace in ways]
    assert_verdicts(student, curves, [reference.judge(curve) for curve in curves], names)


@weight(2)
@number("19.H15")
def test_verdicts_on_a_descent(student, rng):
    """Descent on a bowl is too high at 1.05 times the stable rate, just right at a half, too low at a millionth"""
    H, w0 = bowl(rng, curvatures(rng, 4, rng.uniform(1, 50))), rng.standard_normal(4)
    limit = 2 / np.linalg.svd(H, compute_uv=False)[0]
    curves = []
    for share in (1.05, 0.5, 1e-6):
        w, losses = w0, []
        # At 1.05 the factor along the steepest direction is -1.1: 150 steps multiply its loss by 2.6e12. It would not
        # end above the start if w0 were within 1e-6 of orthogonal to that direction, once in a million.
        for _ in range(151):
            losses.append(w @ H @ w / 2)
            w = w - share * limit * (H @ w)
        curves.append(losses)

    names = [f"a descent at {share:g} times the stable rate" for share in (1.05, 0.5, 1e-6)]
    assert_verdicts(student, curves, ["too high", "just right", "too low"], names)


def same_rates(student, reference, losses, **options):
    """Hold that the student's plateau rule gives the reference's rates; all are asked for before any is looked at."""
    yours, expected = student.ReduceOnPlateau(**options), reference.ReduceOnPlateau(**options)
    mine, theirs = ([plateau.step(loss) for loss in losses] for plateau in (yours, expected))

    # At most 20 factors, each product rounded by 1e-16.
    for k, (one, other) in enumerate(zip(mine, theirs, strict=True), 1):
        assert_close(one, other, rtol=1e-12, name=f"the rate after loss number {k}")


@weight(2)
@number("19.H4")
@pytest.mark.parametrize("patience", [0, 2])
def test_patience(student, reference, rng, patience):
    """The rate falls with bad loss number patience + 1 in a row, and then only after as many again"""
    lr, factor = float(rng.uniform(0.1, 1)), float(rng.uniform(0.2, 0.8))
    losses = [1.0, *rng.uniform(2, 3, 2 * patience + 3).tolist()]

    same_rates(student, reference, losses, lr=lr, factor=factor, patience=patience)


@weight(2)
@number("19.H4")
def test_the_best_counts(student, reference, rng):
    """A loss is compared with the best so far: better than the one before is not enough, also after a reduction"""
    losses = [3.0, 1.0, *(np.linspace(2.9, 2, 5) * rng.uniform(0.99, 1.01)).tolist()]

    same_rates(student, reference, losses, lr=1.0, factor=float(rng.uniform(0.2, 0.8)), patience=1)


@weight(2)
@number("19.H4")
def test_a_good_loss_clears_the_count(student, reference, rng):
    """Bad losses count in a row: a new best loss sets the count back to 0"""
    best = float(rng.uniform(3, 4))

    same_rates(student, reference, [best, 7.0, best - 1, 6.0, best - 2, 8.0], lr=0.3, factor=0.5, patience=1)


@weight(1)
@number("19.H4")
def test_no_better_is_bad(student, reference, rng):
    """A loss equal to the best is bad"""
    same_rates(student, reference, [2.0, 2.0, 2.0, 2.0], lr=float(rng.uniform(0.1, 1)), factor=0.5, patience=1)


@weight(1)
@number("19.H14")
def test_nan_is_bad(student, reference, rng):
    """NaN is a bad loss and never becomes the best"""
    losses = [2.0, math.nan, math.nan, 3.0, 1.0, math.nan]

    same_rates(student, reference, losses, lr=float(rng.uniform(0.1, 1)), factor=0.5, patience=1)


@weight(2)
@number("19.H14")
def test_floor(student, reference, rng):
    """The rate never falls below min_lr, and stays there"""
    least = float(rng.uniform(0.03, 0.04))

    same_rates(student, reference, [1.0] * 5, lr=0.3, factor=0.3, patience=0, min_lr=least)


@weight(1)
@number("19.H14")
def test_defaults(student, reference, rng):
    """With nothing but a rate, factor is 0.1, patience 2, and min_delta and min_lr are 0"""
    losses = [2.0, 2.0 - 1e-9, 3.0, 2.5, 2.0 - 2e-9, *np.sort(rng.uniform(2, 3, 4)).tolist()]

    same_rates(student, reference, losses, lr=float(rng.uniform(0.1, 1)))


@weight(1)
@number("19.H11")
def test_min_delta_in_units_of_the_loss(student, reference, rng):
    """min_delta is no share: from 100 to 99.5 is progress if 0.4 is asked for, and from 0.5 to 0.2 is none"""
    delta = float(rng.uniform(0.35, 0.45))

    same_rates(student, reference, [100.0, 99.5, 0.5, 0.2, 0.3, 0.19], lr=0.3, factor=0.5, patience=0, min_delta=delta)


@weight(2)
@number("19.H11")
def test_small_gains_add_up(student, reference, rng):
    """Gains too small to be good leave the best loss where it is, so that two of them together are good"""
    delta = float(rng.uniform(0.2, 0.4))
    # A rise at the end, and two gains at once after it, which only a best loss that was lost could take for good.
    losses = [*(2.0 - 0.7 * delta * np.arange(5)).tolist(), 2.5, 2.5 - 2 * delta]

    same_rates(student, reference, losses, lr=0.3, factor=0.5, patience=0, min_delta=delta)


@weight(1)
@number("19.H11")
def test_slightly_worse_is_bad(student, reference, rng):
    """A loss that is worse than the best by less than min_delta is bad"""
    losses = (2.0 + rng.uniform(0.01, 0.09, 4)).tolist()

    same_rates(student, reference, [2.0, *losses], lr=0.3, factor=0.5, patience=1, min_delta=0.1)


@weight(3)
@number("19.H13")
def test_random_walks(student, reference, rng):
    """On random walks of the loss the rates are the reference's, for drawn settings"""
    for _ in range(2):
        options = {
            "lr": float(rng.uniform(0.1, 1)),
            "factor": float(rng.uniform(0.2, 0.9)),
            "patience": int(rng.integers(0, 4)),
            "min_delta": float(rng.uniform(0, 0.5)),
            "min_lr": float(rng.uniform(0, 0.05)),
        }
        same_rates(student, reference, (9 + np.cumsum(rng.normal(-0.1, 1, 14))).tolist(), **options)


@weight(2)
@number("19.H12")
def test_state(student, rng):
    """state() tells the rate, the best loss and the bad losses in a row"""
    lr, low = float(rng.uniform(0.1, 1)), float(rng.uniform(1, 2))
    plateau = student.ReduceOnPlateau(lr, factor=0.5, patience=1)
    states = [plateau.state()]
    for loss in (low + 1, low, low + 2, low + 3):
        plateau.step(loss)
        states.append(plateau.state())

    bests, bads, rates = [math.inf, low + 1, low, low, low], [0, 0, 0, 1, 0], [lr, lr, lr, lr, lr / 2]
    for losses, (yours, best, bad, rate) in enumerate(zip(states, bests, bads, rates, strict=True)):
        assert_close(yours, {"lr": rate, "best": best, "bad": bad}, name=f"state() after {losses} losses")


@weight(2)
@number("19.H12")
def test_a_loaded_state_goes_on(student, reference, rng):
    """A state loaded into another object goes on exactly where the first one stood, whatever it had seen before"""
    options = {"lr": float(rng.uniform(0.1, 1)), "factor": float(rng.uniform(0.2, 0.8)), "patience": 2}
    state = {"lr": options["lr"] / 3, "best": 2.0, "bad": 2}
    yours, expected = student.ReduceOnPlateau(**options), reference.ReduceOnPlateau(**options)
    for plateau in (yours, expected):
        plateau.step(0.5)  # better than all that follow
        plateau.step(4.0)
        plateau.load_state(state)
    mine, theirs = ([plateau.step(loss) for loss in (1.5, 1.8, 1.7, 1.9)] for plateau in (yours, expected))

    assert_close(mine, theirs, rtol=1e-12, name="the list of rates after load_state")


@weight(1)
@number("19.H12")
def test_a_state_there_and_back(student, rng):
    """state() after load_state is the state that was loaded"""
    state = {"lr": float(rng.uniform(0.1, 1)), "best": float(rng.uniform(1, 2)), "bad": 3}
    plateau = student.ReduceOnPlateau(2.0, patience=5)
    plateau.step(0.5)
    plateau.load_state(state)

    assert_close(plateau.state(), state, name="state() after load_state")


@weight(1)
@number("19.H12")
def test_a_loaded_count(student, rng):
    """Bad losses that a loaded state has counted are not forgiven"""
    lr = float(rng.uniform(0.1, 1))
    plateau = student.ReduceOnPlateau(lr, factor=0.5, patience=2)
    plateau.load_state({"lr": lr, "best": 2.0, "bad": 2})

    yours = [plateau.step(3.0) for _ in range(3)]
    assert_close(yours, [lr / 2] * 3, rtol=1e-12, name="the rates after bad losses number 3, 4 and 5")


def rates(rng, count):
    """Return ascending rates, evenly spaced neither as they are nor in their logarithms."""
    return np.exp(np.cumsum(rng.uniform(0.2, 2.5, count)) - 10)


@weight(3)
@number("19.H5")
def test_steepest_fall(student, reference, rng):
    """The rate at the left end of the steepest fall is the reference's, on random curves that fall all the way"""
    curves = [(rates(rng, count), 9 - np.cumsum(rng.uniform(0.01, 0.6, count))) for count in (9, 12, 2)]
    yours, expected = ([module.lr_range_test(*curve) for curve in curves] for module in (student, reference))

    assert_close(yours, expected, rtol=1e-12, name="the rates")  # entries of lrs, so no rounding at all


@weight(2)
@number("19.H5")
def test_place_of_the_steepest_fall(student, rng):
    """The steepest fall is found wherever it lies: at the very beginning, in the middle, or just before the minimum"""
    yours, expected = [], []
    for steepest in (5, 2, 0):
        lrs, falls = rates(rng, 10), rng.uniform(0.1, 0.3, 6)
        falls[steepest] = 2.0
        slopes = np.append(-falls, rng.uniform(0.5, 3, 3))
        losses = 20 + np.append(0.0, np.cumsum(slopes * np.diff(np.log(lrs))))
        yours.append(student.lr_range_test(lrs, losses))
        expected.append(lrs[steepest])

    assert_close(yours, expected, rtol=1e-12, name="the rates")


@weight(2)
@number("19.H5")
def test_second_dip(student, rng):
    """What falls after the minimum does not count, and were it the steepest fall of all"""
    lrs = rates(rng, 9)
    losses = np.array([5.0, 4.9, 3.0, 2.9, 1.0, 60.0, 4.0, 40.0, 1.5]) * rng.uniform(0.9, 1.1)

    slopes = np.diff(losses[:5]) / np.diff(np.log(lrs[:5]))
    assert_close(student.lr_range_test(lrs, losses), lrs[np.argmin(slopes)], rtol=1e-12)


@weight(2)
@number("19.H5")
def test_noise(student, reference, rng):
    """On noisy curves with many small minima the search goes on to the smallest of all losses"""
    x = np.linspace(-6, 6, 24)
    shape = 1 + 2 / (1 + np.exp(2 * x)) + np.exp(2 * (x - 4.5))
    curves = [(rates(rng, 24), shape + 0.1 * rng.uniform(0, 1, 24)) for _ in range(3)]
    yours, expected = ([module.lr_range_test(*curve) for curve in curves] for module in (student, reference))

    assert_close(yours, expected, rtol=1e-12, name="the rates")


@weight(2)
@number("19.H5")
def test_broken_training_at_the_end(student, reference, rng):
    """NaN and infinite losses at high rates do not disturb the search"""
    tails = [math.nan, math.nan], [math.inf, math.nan], [50.0, math.inf]
    curves = [(rates(rng, 8), np.append(6 - np.cumsum(rng.uniform(0.1, 0.9, 6)), tail)) for tail in tails]
    yours, expected = ([module.lr_range_test(*curve) for curve in curves] for module in (student, reference))

    assert_close(yours, expected, rtol=1e-12, name="the rates")


@weight(3)
@number("19.H7")
def test_inputs_stay(student, rng):
    """No function changes its arguments, also where losses are NaN"""
    H, lrs = bowl(rng, curvatures(rng, 3, 2.0)), rates(rng, 5)
    for losses in (np.array([4.0, 3.0, 1.0, 2.0, 9.0]), np.array([4.0, 3.0, 1.0, math.inf, math.nan])):
        student.lr_range_test(lrs, losses)
        assert_leaves_inputs_alone(student.observed)
        student.judge(losses)
        assert_leaves_inputs_alone(student.observed)
    student.max_stable_lr(H)
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("19.H7")
def test_whole_numbers(student, rng):
    """A Hessian of whole numbers has the same largest stable rate as one of floats"""
    root = rng.integers(-3, 4, (3, 3)) + 4 * np.eye(3, dtype=np.int64)
    H = root @ root.T

    assert_close(student.max_stable_lr(H), 2 / np.linalg.svd(H.astype(np.float64), compute_uv=False)[0])


@weight(1)
@number("19.H8")
def test_bad_steps_and_rates(student, rng):
    """schedule refuses a negative t and a base of 0 or less, whatever the kind"""
    ways = [
        ("exponential", {"decay": 0.5}),
        ("step", {"every": 2, "factor": 0.5}),
        ("cosine", {"total": 5, "min_lr": 0.0}),
        ("constant", {}),
        ("warmup_cosine", {"warmup": 2, "total": 5, "min_lr": 0.0}),
    ]
    for kind, p in ways:
        assert_refuses(student.schedule, kind, -1, 0.1, naming="t", **p)
        assert_refuses(student.schedule, kind, 1, -float(rng.uniform(0.1, 1)), naming="base", **p)
        assert_refuses(student.schedule, kind, 1, 0.0, naming="base", **p)


@weight(1)
@number("19.H8")
def test_bad_kinds(student, rng):
    """schedule refuses a kind that there is not"""
    for kind in ("linear", "", "Cosine"):
        assert_refuses(student.schedule, kind, 1, 0.1, naming="kind")


@weight(1)
@number("19.H8")
def test_bad_factor(student, rng):
    """A factor of 0, 1, 2 or less than 0 is refused, by the staircase and by ReduceOnPlateau"""
    for factor in (2.0, 1.0, 0.0, -0.5):
        assert_refuses(student.schedule, "step", 3, 0.1, every=2, factor=factor, naming="factor")
        assert_refuses(student.ReduceOnPlateau, 0.1, factor=factor, naming="factor")


@weight(1)
@number("19.H8")
def test_bad_warmup(student, rng):
    """A warmup longer than the total is refused, also in steps that lie within it"""
    for t in (0, 9):
        assert_refuses(student.schedule, "warmup_cosine", t, 0.1, warmup=6, total=5, min_lr=0.0, naming="warmup")


@weight(1)
@number("19.H8")
def test_bad_plateau(student, rng):
    """ReduceOnPlateau refuses a rate of 0 or less"""
    for lr in (0.0, -float(rng.uniform(0.1, 1))):
        assert_refuses(student.ReduceOnPlateau, lr, naming="lr")


@weight(1)
@number("19.H8")
def test_nothing_falls(student, rng):
    """lr_range_test refuses losses of which the first is the smallest"""
    assert_refuses(student.lr_range_test, rates(rng, 4), 2 + np.cumsum(rng.uniform(0.1, 1, 4)), naming="losses")
