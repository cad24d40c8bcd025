"""Section 18: gradient descent, batch, stochastic and mini-batch. Hidden tests.

Nothing here depends on how a student draws the random order. A path tells which samples made an update: with the
identity as inputs by the coordinates that moved, else by trying every group of samples.
"""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_close,
    assert_dtype,
    assert_equal,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_leaves_random_state_alone,
    assert_refused,
    assert_refuses,
    assert_shape,
)

KEYS = {"w", "b", "updates", "losses", "path"}


def linear_data(rng, n, d, noise=0.1):
    """Return X (n, d), y (n,), and the true weights with the bias as last entry; the bias is at least 1 in size."""
    truth = np.append(rng.standard_normal(d), rng.choice([-1, 1]) * rng.uniform(1, 2))
    X = rng.standard_normal((n, d))
    return X, X @ truth[:-1] + truth[-1] + noise * rng.standard_normal(n), truth


def sample_gradients(X, y, point):
    """Return the gradient of each sample's squared error at (w, b) = point, shape (n, d + 1)."""
    with_one = np.column_stack([X, np.ones(len(X))])
    return 2 * (with_one @ point - y)[:, None] * with_one


def full_loss(X, y, points):
    """Return the mean squared error over all samples for each row of points, shape (rows,)."""
    return np.mean((points[:, :-1] @ X.T + points[:, -1:] - y) ** 2, axis=1)


def train(student, *runs):
    """Call train_linear for each run, hold that each dict is complete and each path has its rows; return the dicts.

    A run is (X, y, options), with the options lr, epochs, batch_size and seed.
    """
    results = student.together(partial(student.train_linear, X, y, **options) for X, y, options in runs)
    for (X, _, options), result in zip(runs, results, strict=True):
        assert type(result) is dict, "train_linear returns a dict."
        assert set(result) >= KEYS, "The dict of train_linear has the keys w, b, updates, losses and path."
        assert_shape(result["losses"], (options["epochs"],), name="losses")
        updates = options["epochs"] * -(-len(X) // (options["batch_size"] or len(X)))
        assert_shape(result["path"], (updates + 1, X.shape[1] + 1), name="path")
    return results


def options(lr, epochs, batch_size, seed):
    """Return what train_linear takes beside the data."""
    return {"lr": lr, "epochs": epochs, "batch_size": batch_size, "seed": seed}


def samples_of_each_update(student, epochs, seed, *sizes):
    """Return for each (n, batch_size) and each of its epochs a list of sets: which samples moved the weights in each update.

    X is the identity, so sample i moves coordinate i and no other. y is a few hundred times what the updates can reach:
    no residual is 0 by accident.
    """
    runs = [(np.eye(n), 100.0 + np.arange(n), options(0.01, epochs, batch_size, seed)) for n, batch_size in sizes]
    found = []
    for result in train(student, *runs):
        moved = [set(np.flatnonzero(row).tolist()) for row in np.diff(result["path"][:, :-1], axis=0)]
        each = len(moved) // epochs
        found.append([moved[start : start + each] for start in range(0, len(moved), each)])
    return found


def seed_from(rng):
    """Return a seed for the student."""
    return int(rng.integers(2**31))


@weight(2)
@number("18.H1")
def test_step_on_arrays_of_any_shape(student, rng):
    """gd_step takes lr times the gradient away from each parameter, whatever their shapes"""
    cases = []
    for shapes in [[(3,)], [(2, 3), (2,)], [(3, 3), (), (2, 1, 4), (1,)]]:
        params, grads = ([rng.standard_normal(s) for s in shapes] for _ in range(2))
        cases.append((params, grads, float(rng.uniform(0.01, 3))))

    values = student.together(partial(student.gd_step, *case) for case in cases)
    for (params, grads, lr), yours in zip(cases, values, strict=True):
        assert_close(yours, [p - lr * g for p, g in zip(params, grads, strict=True)])


@weight(3)
@number("18.H1")
def test_path_on_a_quadratic(student, rng):
    """on a bowl the path is that of the closed form: along each axis of it the distance shrinks by 1 - lr * curvature"""
    for d, steps in [(1, 3), (2, 1), (4, 5)]:
        axes, _ = np.linalg.qr(rng.standard_normal((d, d)))
        # Factors from -0.9 to -0.1 and from 0.1 to 0.9: steps too short and steps that overshoot.
        lr = float(rng.uniform(0.02, 0.5))
        factors = rng.choice([-1, 1], d) * rng.uniform(0.1, 0.9, d)
        hessian = axes @ np.diag((1 - factors) / lr) @ axes.T
        bottom, w0 = rng.standard_normal((2, d))
        path = student.descend(lambda w, h=hessian, c=bottom: h @ (w - c), w0, lr, steps)

        powers = factors ** np.arange(steps + 1)[:, None]
        expected = bottom + (powers * (axes.T @ (w0 - bottom))) @ axes.T
        # At most 5 steps of a few roundings (1e-15) each, none of them amplified.
        assert_close(path, expected, rtol=1e-9, atol=1e-11, name="path")


@weight(1)
@number("18.H1")
def test_gradient_is_asked_once_where_the_step_starts(student, rng):
    """descend calls grad once for each step, at the point where the step starts, and steps by lr times the answer"""
    answers = rng.standard_normal((4, 3))
    asked = []

    def grad(w):
        asked.append(np.array(w))
        return answers[len(asked) - 1] if len(asked) <= 4 else answers[0]

    w0 = rng.standard_normal(3)
    path = student.descend(grad, w0, 0.3, 4)

    assert len(asked) == 4, f"descend called grad {len(asked)} times for 4 steps."
    # The sums of 5 numbers, in any order.
    assert_close(path, np.cumsum([w0, *(-0.3 * answers)], axis=0), atol=1e-12, name="path")
    assert_close(asked, list(path[:-1]), name="the points that grad was asked for")


@weight(1)
@number("18.H1")
def test_no_steps(student, rng):
    """descend with 0 steps returns the start alone, and does not ask for a gradient"""
    w0 = rng.standard_normal(4)
    asked = []

    assert_close(student.descend(lambda w: asked.append(1) or w, w0, 0.1, 0), w0[None], name="path")
    assert not asked, "descend asked for a gradient although there was no step to make."


@weight(3)
@number("18.H2")
def test_gradient_of_the_squared_error(student, rng):
    """linreg_grad agrees with finite differences of mean((X w + b - y)^2), for one sample and for many"""
    cases = []
    for n, d in [(1, 1), (1, 3), (4, 1), (3, 3), (7, 2)]:
        X, y, _ = linear_data(rng, n, d, noise=1.0)
        cases.append((X, y, rng.standard_normal(d + 1)))

    values = student.together(partial(student.linreg_grad, X, y, p[:-1], float(p[-1])) for X, y, p in cases)
    for (X, y, point), (dw, db) in zip(cases, values, strict=True):
        assert_shape(dw, (X.shape[1],), name="dw")
        assert_shape(db, (), name="db")
        yours = np.append(dw, db)
        # The loss is a square, for which central differences are exact but for their own rounding.
        assert_gradient(yours, lambda p, X=X, y=y: full_loss(X, y, p[None])[0], point, 1.0, name="(dw, db)")


@weight(2)
@number("18.H3")
def test_counts_and_shapes(student, rng):
    """training makes epochs * ceil(N / batch_size) updates, from a path that starts at 0 to the w and b it returns"""
    sizes = [(6, None, 3), (5, 1, 2), (6, 3, 2), (7, 3, 3), (8, 5, 1), (4, 4, 2), (5, 2, 0)]
    runs = []
    for n, batch_size, epochs in sizes:
        X, y, _ = linear_data(rng, n, 2)
        runs.append((X, y, options(0.03, epochs, batch_size, seed_from(rng))))

    for (n, batch_size, epochs), result in zip(sizes, train(student, *runs), strict=True):
        updates = epochs * -(-n // (batch_size or n))
        assert_equal(result["updates"], updates, name=f"updates of {n} samples by {batch_size} in {epochs} epochs")
        assert_close(result["path"][0], np.zeros(3), name="the first row of path")
        assert_close(result["path"][-1], [*result["w"], result["b"]], name="the last row of path")


@weight(3)
@number("18.H3")
def test_every_sample_once_in_an_epoch(student, rng):
    """in each epoch every sample is used in exactly one update, the samples of the last small batch too"""
    sizes = [(6, 1), (6, 2), (7, 3), (9, 5)]
    for (n, batch_size), epochs in zip(sizes, samples_of_each_update(student, 2, seed_from(rng), *sizes), strict=True):
        for groups in epochs:
            wanted = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
            assert sorted(i for group in groups for i in group) == list(range(n)), (
                f"Of {n} samples in batches of {batch_size}, some were used in no update of an epoch or in several."
            )
            found = [len(group) for group in groups]
            assert found == wanted, f"{n} samples in batches of {batch_size} were used in groups of {found}."


@weight(3)
@number("18.H3")
def test_every_update_is_the_mean_gradient_of_its_batch(student, rng):
    """each update moves w and b together by lr times the mean gradient of a batch, taken where the update starts"""
    n, batch_size, lr = 7, 3, 0.07
    X, y, _ = linear_data(rng, n, 2, noise=1.0)
    (result,) = train(student, (X, y, options(lr, 2, batch_size, seed_from(rng))))
    path = result["path"]

    for update in range(6):
        if update % 3 == 0:
            left = set(range(n))
        size = batch_size if update % 3 < 2 else n % batch_size
        gradients = sample_gradients(X, y, path[update])
        step = (path[update] - path[update + 1]) / lr
        # The step is right to 1e-14 / lr; two of at most 35 groups do not lie within 1e-9 of each other by chance.
        found = [g for g in combinations(sorted(left), size) if abs(gradients[list(g)].mean(0) - step).max() < 1e-9]
        assert found, (
            f"Update {update + 1} of an epoch with 7 samples in batches of 3 is not lr times the mean gradient of {size} "
            "samples that were not used before in that epoch."
        )
        left -= set(found[0])


@weight(2)
@number("18.H4")
def test_batch_mode_has_one_path(student, rng, reference):
    """with all samples in one batch, path and losses are the reference's, whatever the seed"""
    X, y, _ = linear_data(rng, 9, 3)
    expected = reference.train_linear(X, y, 0.11, 8, None, 0)
    runs = [(X, y, options(0.11, 8, batch_size, seed_from(rng))) for batch_size in (None, 9)]
    for result in train(student, *runs):
        # Samples may be added in another order: 8 updates of numbers up to 10, each rounded to 1e-15.
        assert_close(result["path"], expected["path"], atol=1e-11, name="path")
        assert_close(result["losses"], expected["losses"], atol=1e-11, name="losses")
        assert_close(result["w"], expected["w"], atol=1e-11, name="w")
        assert_close(result["b"], expected["b"], atol=1e-11, name="b")


@weight(2)
@number("18.H4")
def test_seeds(student, rng):
    """the same seed gives the same path, another seed another one, and the global random state stays as it was"""
    X, y, _ = linear_data(rng, 12, 2)
    first, other = (int(seed) for seed in rng.choice(2**31, 2, replace=False))
    sizes = (1, 5)
    runs = [(X, y, options(0.05, 2, size, seed)) for size in sizes for seed in (first, first, other)]
    paths = [result["path"] for result in train(student, *runs)]
    assert_leaves_random_state_alone(student.observed)
    for batch_size, path, again, another in zip(sizes, paths[::3], paths[1::3], paths[2::3], strict=True):
        assert_equal(again, path, name="the path of the second run with the same seed")
        # An epoch has 479 million orders of single samples, and 16632 ways to make groups of 5, 5 and 2; there are two.
        assert abs(path - another).max() > 1e-9, f"Two seeds give the same path with batches of {batch_size}."


@weight(2)
@number("18.H4")
def test_each_epoch_has_a_new_order(student, rng):
    """stochastic descent visits the samples in another order in each epoch, and that is not the order of the rows"""
    (epochs,) = samples_of_each_update(student, 3, seed_from(rng), (12, 1))
    rows = [{i} for i in range(12)]

    # 12 samples have 479 million orders.
    assert rows not in epochs, "The samples were visited in the order of the rows."
    assert all(a != b for a, b in combinations(epochs, 2)), "Two epochs visited the samples in the same order."


@weight(1)
@number("18.H4")
def test_each_epoch_has_new_batches(student, rng):
    """mini-batches are composed anew in each epoch, not only put into another order"""
    (epochs,) = samples_of_each_update(student, 3, seed_from(rng), (12, 4))

    # Two epochs agree by chance once in 5775 times, all three once in 33 million.
    distinct = {frozenset(map(frozenset, groups)) for groups in epochs}
    assert len(distinct) > 1, "The same samples form a batch in every epoch."


@weight(2)
@number("18.H4")
def test_losses_are_of_all_samples_after_each_epoch(student, rng):
    """losses[e] is the mean squared error over all samples with the w and b after epoch e, for any batch size"""
    X, y, _ = linear_data(rng, 10, 3, noise=1.0)
    modes = [(None, 1), (1, 10), (4, 3)]
    results = train(student, *((X, y, options(0.06, 4, batch_size, seed_from(rng))) for batch_size, _ in modes))
    for (_, updates), result in zip(modes, results, strict=True):
        expected = full_loss(X, y, result["path"][updates::updates])
        assert_close(result["losses"], expected, rtol=1e-9, name="losses")


@weight(3)
@number("18.H5")
@pytest.mark.parametrize(
    ("batch_size", "lr", "epochs", "limit"), [(None, 0.1, 200, 0.06), (32, 0.05, 40, 0.06), (1, 0.01, 10, 0.12)]
)
def test_training_finds_the_line(student, rng, batch_size, lr, epochs, limit):
    """256 noisy samples of a line in 5 dimensions give its weights and bias back, in batch, mini-batch and stochastic mode"""
    # A short run that is not judged: by it the diagnosis tells mistakes apart without repeating the long ones.
    X, y, _ = linear_data(rng, 5, 2, noise=1.0)
    short = X, y, options(lr, 2, batch_size and min(batch_size, 3), seed_from(rng))
    data = [linear_data(rng, 256, 5) for _ in range(3)]
    runs = [(X, y, options(lr, epochs, batch_size, seed_from(rng))) for X, y, _ in data]
    _, *results = train(student, short, *runs)
    errors = []
    for (_, _, truth), result in zip(data, results, strict=True):
        assert_shape(result["w"], (5,), name="w")
        errors.append(abs(np.append(result["w"], result["b"]) - truth).max())

    # The reference's worst of 60 runs: 0.019, 0.020 and 0.036.
    good = sum(error <= limit for error in errors)
    assert good >= 2, f"In {3 - good} of 3 runs a parameter was further than {limit} from the truth."


@weight(2)
@number("18.H6")
def test_larger_batches_scatter_less(student, rng):
    """the first step scatters around the batch step, over seeds, as a mean of B out of N samples does"""
    n, runs = 24, 40
    X = rng.uniform(-2, 2, (n, 2))
    y = X @ [1.0, -2.0] + rng.uniform(-1, 1, n)
    order = np.argsort(y)  # neighbours are alike, so groups of neighbours scatter more than random groups
    X, y = X[order], y[order]
    gradients = sample_gradients(X, y, np.zeros(3))
    gradients -= gradients.mean(axis=0)
    centre = sample_gradients(X, y, np.zeros(3)).mean(axis=0)
    shuffles = rng.permuted(np.tile(np.arange(n), (4000, 1)), axis=1)
    sizes = (12, 4, 1)
    seeds = {size: rng.choice(2**31, runs, replace=False).tolist() for size in sizes}
    results = train(student, *((X, y, options(0.1, 1, size, seed)) for size in sizes for seed in seeds[size]))
    for place, batch_size in enumerate(sizes):
        firsts = [result["path"][1] for result in results[place * runs : (place + 1) * runs]]
        scatter = np.mean(np.sum((np.array(firsts) / -0.1 - centre) ** 2, axis=1))

        # The variance of a mean of B out of N without repetition; its spread over 40 runs is that of 4000 simulated ones.
        expected = np.mean(np.sum(gradients**2, axis=1)) / batch_size * (n - batch_size) / (n - 1)
        spread = np.std(np.sum(gradients[shuffles[:, :batch_size]].mean(axis=1) ** 2, axis=1)) / np.sqrt(runs)
        assert_close(scatter, expected, rtol=0.0, atol=6 * spread, name=f"the scatter with batches of {batch_size}")


@weight(1)
@number("18.H6")
def test_twice_the_same_samples(student, rng):
    """a batch that holds every sample twice has the same gradient, and trains to the same line"""
    X, y, _ = linear_data(rng, 5, 3)
    twice = np.concatenate([X, X]), np.concatenate([y, y])
    w, b = rng.standard_normal(3), float(rng.standard_normal())

    dw, db = student.linreg_grad(*twice, w, b)
    gradient = sample_gradients(X, y, np.append(w, b)).mean(axis=0)
    assert_close(dw, gradient[:-1], atol=1e-11, name="dw")
    assert_close(db, gradient[-1], atol=1e-11, name="db")
    once, doubled = (
        result["path"] for result in train(student, *((*d, options(0.1, 4, None, 1)) for d in ((X, y), twice)))
    )
    assert_close(doubled, once, atol=1e-11, name="path")


@weight(1)
@number("18.H7")
def test_rows_of_the_path_are_copies(student, rng):
    """each row of a path keeps the point of its own step: the first is the start, and no two rows are equal"""
    X, y, _ = linear_data(rng, 4, 2, noise=1.0)
    (result,) = train(student, (X, y, options(0.05, 3, 2, seed_from(rng))))
    path = result["path"]
    assert_close(path[0], np.zeros(3), name="the first row of the path of train_linear")
    assert (abs(np.diff(path, axis=0)).max(axis=1) > 0).all(), "Two rows of the path of train_linear are equal."

    w0 = rng.uniform(1, 2, 3)
    path = student.descend(lambda w: w, w0, 0.1, 5)
    assert_close(path[0], w0, name="the first row of the path")
    assert_close(path[:, 0], w0[0] * 0.9 ** np.arange(6), name="the first column of the path")


@weight(1)
@number("18.H7")
def test_inputs_stay_as_they_were(student, rng):
    """no function changes its arguments or returns memory of theirs"""
    X, y, _ = linear_data(rng, 5, 3)
    w = rng.standard_normal(3)

    student.together(
        [
            partial(student.gd_step, [w, X], [w + 1, X - 1], 0.1),
            partial(student.linreg_grad, X, y, w, 0.5),
            *(
                partial(student.train_linear, X, y, **options(0.01, 2, batch_size, seed_from(rng)))
                for batch_size in (None, 1, 2)
            ),
        ]
    )
    assert_leaves_inputs_alone(student.observed)
    student.descend(lambda w: 2 * w, w, 0.1, 3)
    assert_leaves_inputs_alone(student.observed)
    student.descend(lambda w: w, w, 0.1, 0)
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("18.H8")
def test_bad_steps(student, rng):
    """gd_step and descend refuse a learning rate of 0 or less, and descend a negative number of steps"""
    w = rng.standard_normal(3)
    rates = (0.0, -float(rng.uniform(0.1, 1)))
    outcomes = student.together((partial(student.gd_step, [w], [w], lr) for lr in rates), catch=True)
    assert_refused(outcomes, naming="lr")
    for lr in rates:
        assert_refuses(student.descend, lambda w: w, w, lr, 2, naming="lr")
    assert_refuses(student.descend, lambda w: w, w, 0.1, -1, naming="steps")


@weight(1)
@number("18.H8")
def test_bad_training(student, rng):
    """train_linear refuses lr of 0 or less, negative epochs, and a batch size of 0 or above N"""
    X, y, _ = linear_data(rng, 4, 2)
    good = options(0.1, 2, 2, 1)
    cases = [("batch_size", 5), ("batch_size", 0), ("epochs", -1), ("lr", 0.0), ("lr", -0.1)]
    calls = [partial(student.train_linear, X, y, **good | {name: value}) for name, value in cases]
    for (name, _), outcome in zip(cases, student.together(calls, catch=True), strict=True):
        assert_refused([outcome], naming=name)


@weight(1)
@number("18.H9")
def test_dtypes(student, rng):
    """float32 stays float32 in gd_step, descend and linreg_grad; integers become float64"""
    w = rng.standard_normal(3).astype(np.float32)
    whole = rng.integers(1, 9, 3)

    stepped = student.gd_step([w, whole], [np.float32(2) * w, whole + 1], 0.1)
    assert_dtype(stepped[0], np.float32, name="gd_step of float32")
    assert_close(stepped, [0.8 * w, whole - 0.1 * (whole + 1)])
    path = student.descend(lambda w: w * np.float32(2), w, 0.1, 2)
    assert_dtype(path, np.float32, name="path of float32")
    assert_close(path, [w, 0.8 * w, 0.64 * w], name="path of float32")
    path = student.descend(lambda w: 2 * w, whole, 0.1, 2)
    assert_dtype(path, np.float64, name="path of integers")
    assert_close(path, [whole, 0.8 * whole, 0.64 * whole], name="path of integers")


@weight(1)
@number("18.H9")
def test_dtypes_of_the_gradient(student, rng):
    """linreg_grad gives float32 for float32, and float64 for integers"""
    cases = [
        [rng.integers(-9, 10, shape).astype(dtype) for shape in [(4, 3), (4,), (3,)]]
        for dtype in (np.float32, np.int64)
    ]
    values = student.together(partial(student.linreg_grad, X, y, w, 0.5) for X, y, w in cases)
    for (X, y, w), (dw, db) in zip(cases, values, strict=True):
        gradient = sample_gradients(X.astype(np.float64), y.astype(np.float64), np.append(w, 0.5)).mean(axis=0)
        assert_dtype(dw, np.float32 if w.dtype == np.float32 else np.float64, name="dw")
        # Whole numbers and halves below 2**24, divided by 4: float32 holds them all without rounding.
        assert_close(dw, gradient[:-1], name="dw")
        assert_close(db, gradient[-1], name="db")
