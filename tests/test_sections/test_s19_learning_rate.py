"""Section 19's reference agrees with torch's schedulers, scipy's eigenvalues and long descents."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "solutions" / "s19_learning_rate" / "learning_rate.py"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s19", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(19)


def sgd(base):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)


def torch_rates(make, base, steps):
    """The rates that a scheduler gives for steps 0, 1, ..."""
    optimizer = sgd(base)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


SCHEDULERS = torch.optim.lr_scheduler


@pytest.mark.parametrize(
    ("kind", "p", "make", "steps"),
    [
        ("step", {"every": 4, "factor": 0.3}, lambda o: SCHEDULERS.StepLR(o, 4, gamma=0.3), 15),
        ("step", {"every": 1, "factor": 0.9}, lambda o: SCHEDULERS.StepLR(o, 1, gamma=0.9), 15),
        ("exponential", {"decay": 0.85}, lambda o: SCHEDULERS.ExponentialLR(o, 0.85), 15),
        ("cosine", {"total": 12, "min_lr": 0.03}, lambda o: SCHEDULERS.CosineAnnealingLR(o, 12, eta_min=0.03), 13),
        ("cosine", {"total": 1, "min_lr": 0.0}, lambda o: SCHEDULERS.CosineAnnealingLR(o, 1), 2),
        ("constant", {}, lambda o: SCHEDULERS.ConstantLR(o, factor=1.0), 9),
    ],
)
def test_schedules_are_those_of_torch(reference, kind, p, make, steps):
    yours = [reference.schedule(kind, t, 0.7, **p) for t in range(steps)]

    np.testing.assert_allclose(yours, torch_rates(make, 0.7, steps), rtol=1e-12, atol=1e-15)


def test_warmup_is_a_linear_rate_followed_by_a_cosine(reference):
    def make(optimizer):
        parts = [
            SCHEDULERS.LinearLR(optimizer, start_factor=1 / 6, end_factor=1.0, total_iters=5),
            SCHEDULERS.CosineAnnealingLR(optimizer, 12, eta_min=0.03),
        ]
        return SCHEDULERS.SequentialLR(optimizer, parts, milestones=[5])

    yours = [reference.schedule("warmup_cosine", t, 0.7, warmup=5, total=17, min_lr=0.03) for t in range(18)]

    np.testing.assert_allclose(yours, torch_rates(make, 0.7, 18), rtol=1e-9)


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize(("min_delta", "min_lr"), [(0.0, 0.0), (0.3, 0.01)])
def test_plateau_is_that_of_torch(reference, rng, patience, min_delta, min_lr):
    losses = [*(9 + np.cumsum(rng.normal(-0.1, 1, 120))).tolist(), math.nan, math.nan, 1.0, 1.0, 1.0, 0.9]
    optimizer = sgd(0.7)
    theirs = SCHEDULERS.ReduceLROnPlateau(
        optimizer, factor=0.6, patience=patience, threshold=min_delta, threshold_mode="abs", min_lr=min_lr, eps=0.0
    )
    yours = reference.ReduceOnPlateau(0.7, 0.6, patience, min_delta, min_lr)
    for loss in losses:
        theirs.step(loss)

        assert yours.step(loss) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


def test_a_state_in_the_middle_goes_on(reference, rng):
    losses = rng.uniform(0, 9, 60).tolist()
    whole, first, second = (reference.ReduceOnPlateau(0.7, 0.8, 1) for _ in range(3))
    expected = [whole.step(loss) for loss in losses]
    for loss in losses[:31]:
        first.step(loss)
    second.load_state(first.state())

    assert [second.step(loss) for loss in losses[31:]] == expected[31:]


@pytest.mark.parametrize("d", [1, 2, 5, 8])
def test_largest_stable_rate_by_scipy(reference, rng, d):
    linalg = pytest.importorskip("scipy.linalg")
    root = rng.standard_normal((d + 2, d))
    H = root.T @ root

    assert reference.max_stable_lr(H) == pytest.approx(2 / linalg.eigvalsh(H)[-1], rel=1e-12)


def test_hessian_of_a_line_by_autograd(reference, rng):
    X = torch.tensor(rng.standard_normal((20, 3)))
    y = torch.tensor(rng.standard_normal(20))
    H = torch.autograd.functional.hessian(lambda w: torch.mean((X @ w - y) ** 2), torch.zeros(3, dtype=torch.float64))
    limit, best = reference.max_stable_lr(H.numpy()), torch.linalg.lstsq(X, y[:, None]).solution[:, 0]
    for share, arrives in [(0.99, True), (1.01, False)]:
        w = torch.zeros(3, dtype=torch.float64)
        for _ in range(3000):
            w = w - share * limit * 2 * X.T @ (X @ w - y) / 20

        assert (torch.norm(w - best).item() < 1e-6) is arrives


def test_verdicts_of_the_lesson(reference):
    curves = {(4, 6, 9): "too high", (4, 3.9, 3.8): "too low", (4, 2, 1): "just right", (4, 1, 3, 2): "too high"}

    assert {curve: reference.judge(np.array(curve, dtype=float)) for curve in curves} == curves


def test_numbers_of_the_lesson(reference):
    assert reference.max_stable_lr(np.diag([1.0, 10.0])) == pytest.approx(0.2)
    assert [1 - 0.21 * c for c in (1, 10)] == pytest.approx([0.79, -1.1])
    rates = [reference.schedule("warmup_cosine", t, 1.0, warmup=4, total=12, min_lr=0.0) for t in range(5)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    lrs, losses = np.array([0.001, 0.01, 0.1, 1.0, 10.0]), np.array([9.0, 8.0, 4.0, 3.0, 7.0])
    assert reference.lr_range_test(lrs, losses) == 0.01
    plateau = reference.ReduceOnPlateau(1.0, factor=0.5, patience=1)
    assert [plateau.step(loss) for loss in (5, 4, 4, 6)] == [1, 1, 1, 0.5]


def test_range_test_by_trying_all_stretches(reference, rng):
    for _ in range(200):
        lrs, losses = np.sort(10 ** rng.uniform(-5, 1, 9)), rng.uniform(0.1, 9, 9)
        lowest = losses.tolist().index(min(losses))
        if lowest == 0:
            continue
        falls = [(losses[k] - losses[k + 1]) / math.log10(lrs[k + 1] / lrs[k]) for k in range(lowest)]

        assert reference.lr_range_test(lrs, losses) == lrs[falls.index(max(falls))]
