"""Section 25's reference agrees with torch's initializers and autograd, with scipy's statistics and integrals."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, spatial, stats
from scipy.sparse import csgraph

torch = pytest.importorskip("torch")
init = torch.nn.init

FILE = Path(__file__).parents[2] / "solutions" / "s25_initialization" / "initialization.py"
SHAPES = [(100, 300), (300, 100), (1, 5000)]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_s25", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(25)


def theirs(kind, shape, distribution):
    """Weights drawn by torch."""
    weights, generator = torch.empty(shape, dtype=torch.float64), torch.Generator().manual_seed(25)
    if kind == "xavier":
        draw = {"normal": init.xavier_normal_, "uniform": init.xavier_uniform_}[distribution]
        return draw(weights, generator=generator).numpy()
    draw = {"normal": init.kaiming_normal_, "uniform": init.kaiming_uniform_}[distribution]
    nonlinearity = {"he": "relu", "lecun": "linear"}[kind]
    return draw(weights, nonlinearity=nonlinearity, generator=generator).numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["xavier", "he", "lecun"])
def test_weights_are_spread_as_torchs(reference, kind, shape):
    """A two-sample test of Kolmogorov and Smirnov finds no difference to torch's normal initializers."""
    found = stats.ks_2samp(reference.initialize(kind, *shape, seed=3).ravel(), theirs(kind, shape, "normal").ravel())

    assert found.pvalue > 1e-5


def test_fixed_spread(reference):
    weights = reference.initialize("normal", 80, 120, seed=4, std=0.3)
    assert stats.kstest(weights.ravel(), stats.norm(0, 0.3).cdf).pvalue > 1e-5
    assert not reference.initialize("zeros", 3, 5, seed=4).any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["xavier", "he", "lecun"])
def test_limits_are_torchs(reference, kind, shape):
    """The largest of 5000 and more even draws is within 0.5 % of the limit, and never beyond it."""
    largest = np.abs(theirs(kind, shape, "uniform")).max()

    # The largest of 5000 shares is below 0.995 with a probability of 0.995**5000 = 1e-11.
    assert 0.995 < largest / reference.uniform_limit(kind, *shape) <= 1


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu"])
def test_ready_made_activations_are_torchs(reference, rng, name):
    z = rng.normal(0, 4, (20, 30))
    expected = getattr(torch, name, None) or getattr(torch.nn.functional, name)

    np.testing.assert_allclose(reference.activate(name, z), expected(torch.tensor(z)).numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("kind", "variance"), [("lecun", 1.0), ("he", 2.0), ("xavier", 0.8)])
@pytest.mark.parametrize("name", ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu"])
def test_first_layer_agrees_with_the_integral(reference, name, kind, variance):
    """The mean square of a wide layer is the integral of the squared activation over a normal distribution."""
    density = stats.norm(0, np.sqrt(variance)).pdf
    square = integrate.quad(lambda z: reference.activate(name, np.array(z)) ** 2 * density(z), -20, 20, points=[0])[0]

    found = reference.signal_stds([400, 600], name, kind, seed=6, n=400)
    # Sums of 400 products are normal enough; of 240 000 outputs the mean square varies by less than 1 %.
    np.testing.assert_allclose(found, [np.sqrt(square)], rtol=0.02)


def test_selu_has_its_fixed_point(reference):
    """Mean 0 and variance 1 come out of selu as mean 0 and variance 1."""
    moments = [
        integrate.quad(lambda z, k=k: reference.activate("selu", np.array(z)) ** k * stats.norm.pdf(z), -20, 20)[0]
        for k in (1, 2)
    ]
    np.testing.assert_allclose(moments, [0, 1], atol=1e-7)


@pytest.mark.parametrize("tol", [1e-12, 0.05, 0.2])
def test_distinct_units_are_the_groups_of_close_rows(reference, rng, tol):
    for units in (1, 2, 9, 40):
        centres = rng.integers(0, 4, (units, 2)).astype(float)
        rows = centres + rng.uniform(-0.4, 0.4, (units, 2)) * tol
        close = spatial.distance.cdist(rows, rows, "chebyshev") <= tol

        assert reference.distinct_units(rows, tol) == csgraph.connected_components(close)[0]
        assert reference.distinct_units(centres, 0.0) == len(np.unique(centres, axis=0))


def torch_net(start, activation):
    """A net 3-5-2 of torch with constant or random weights and zero biases, with its samples and targets."""
    torch.manual_seed(25)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), activation, torch.nn.Linear(5, 2)).double()
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            init.zeros_(parameter)
        elif start != "random":
            init.constant_(parameter, start)
    return net, torch.randn(12, 3, dtype=torch.float64), torch.randn(12, 2, dtype=torch.float64)


@pytest.mark.parametrize(("start", "units"), [(0.0, 1), (0.3, 1), ("random", 5)])
def test_symmetry_under_autograd(reference, start, units):
    """Fifty steps of torch leave units that began alike alike, and the others apart."""
    net, X, y = torch_net(start, torch.nn.Sigmoid())
    before = net[0].weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(50):
        optimizer.zero_grad()
        ((net(X) - y) ** 2).mean().backward()
        optimizer.step()

    assert reference.distinct_units(net[0].weight.detach().numpy()) == units
    assert (net[0].weight - before).abs().max() > 1e-4  # it did learn something


def test_zeros_with_relu_learn_nothing_but_the_last_bias():
    net, X, y = torch_net(0.0, torch.nn.ReLU())
    ((net(X) - y) ** 2).mean().backward()

    assert [bool(p.grad.any()) for p in net.parameters()] == [False, False, False, True]


def test_numbers_of_the_lesson(reference):
    v = {"small": 1e-4, "large": 1.0, "xavier": 2 / 256, "he": 2 / 128}
    factors = {name: 8 * np.sqrt(variance) for name, variance in v.items()}
    assert factors == pytest.approx({"small": 0.08, "large": 8, "xavier": 0.7071, "he": 1}, rel=1e-4)
    powers = {name: factor**30 for name, factor in factors.items()}
    assert powers == pytest.approx({"small": 1.2e-33, "large": 1.2e27, "xavier": 3e-5, "he": 1}, rel=0.05)

    for kind, std in (("normal", 0.01), ("normal", 1.0), ("xavier", 0), ("he", 0)):
        found = reference.signal_stds([128] * 31, "relu", kind, 1, std)[-1]
        expected = powers[kind] if kind != "normal" else (8 * std) ** 30
        assert 1 / 20 < found / expected < 12
    tanh = reference.signal_stds([128] * 6, "tanh", "normal", 1, 1.0)
    np.testing.assert_allclose(tanh, 0.96, atol=0.015)
    assert reference.uniform_limit("he", 3, 24) == pytest.approx(0.5)
    assert np.sqrt(np.mean(np.square([3, 4]))) == pytest.approx(3.54, abs=0.005)

    default = torch.nn.Linear(300, 400).weight.detach().numpy()
    assert default.var() == pytest.approx(1 / 900, rel=0.02)
    assert np.abs(default).max() <= 1 / np.sqrt(300)
