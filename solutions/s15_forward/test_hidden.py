"""Section 15: forward propagation. Hidden tests."""

from itertools import pairwise

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_leaves_inputs_alone,
    assert_refuses,
    assert_shape,
    float32_atol,
)

NAMES = ["identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "softmax"]


def network(rng, *widths):
    """Random layers; sums stay near 1 in size, biases away from 0."""
    return [
        (rng.standard_normal((n_out, n_in)) / np.sqrt(n_in), rng.choice([-1, 1], n_out) * rng.uniform(0.2, 1, n_out))
        for n_in, n_out in pairwise(widths)
    ]


def check_trace(trace, length):
    """Hold that a trace has the right parts and lengths."""
    assert type(trace) is dict, "forward returns a dict."
    assert set(trace) >= {"z", "a"}, "The dict of forward has the keys z and a."
    assert len(trace["z"]) == length, f"z has {len(trace['z'])} entries for {length} layers."
    assert len(trace["a"]) == length + 1, f"a has {len(trace['a'])} entries; the input and {length} layers make more."


# A network of a few layers: sums of at most 9 numbers of size 1, a few roundings of 1e-16 in each layer.
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@weight(5)
@number("15.H1")
def test_weighted_sums(student, rng):
    """dense gives the sum of every unit for every sample, also where N, D and O are equal, and for N = 0, 1"""
    for N, D, O in ((3, 3, 3), (5, 3, 4), (4, 3, 4), (3, 3, 5), (1, 4, 2), (6, 1, 1), (0, 3, 2)):  # noqa: E741
        ((W, b),) = network(rng, D, O)
        X = rng.standard_normal((N, D))
        expected = np.array([[sum(W[k] * X[n]) + b[k] for k in range(O)] for n in range(N)]).reshape(N, O)

        assert_close(student.dense(X, W, b), expected, **CLOSE, name=f"dense of {N} samples, {D} inputs, {O} units")


@weight(2)
@number("15.H1")
def test_each_activation(student, reference, rng):
    """A layer with any of the ten activations gives the reference's output, with N equal to the number of units too"""
    for name in NAMES:
        for N, D, O in ((4, 3, 4), (5, 2, 3)):  # noqa: E741
            layers, X = network(rng, D, O), rng.standard_normal((N, D))
            expected = reference.forward(X, layers, [name])["a"][1]

            assert_close(student.forward(X, layers, [name])["a"][1], expected, **CLOSE, name=f"the output of {name}")


@weight(3)
@number("15.H1")
@pytest.mark.parametrize("last", ["identity", "softmax"])
def test_deep_networks(student, reference, rng, last):
    """One to six layers of different widths with different activations give the reference's output"""
    for depth in (2, 1, 3, 4, 5, 6):
        N = 1 if depth == 4 else 5
        widths = rng.choice([2, 3, 4, 6, 7, 8, 9], depth + 1, replace=False).tolist()
        # No step: there a rounding would decide.
        names = [*rng.permutation(["sigmoid", "tanh", "softplus", "gelu", "leaky_relu"])[: depth - 1].tolist(), last]
        layers, X = network(rng, *widths), rng.standard_normal((N, widths[0]))
        expected = reference.forward(X, layers, names)["a"][-1]

        yours = student.forward(X, layers, names)["a"][-1]
        assert_close(yours, expected, **CLOSE, name=f"the output of {depth} layers")


@weight(2)
@number("15.H1")
def test_softmax_of_large_sums(student, rng):
    """softmax of sums around 1000 overflows nowhere: each row is positive somewhere and adds up to 1"""
    Z = rng.uniform(-3, 3, (3, 4)) + rng.permutation([-1000.0, 1000.0, 30000.0])[:, None]
    expected = np.exp(Z - Z.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)

    yours = student.forward(Z, [(np.eye(4), np.zeros(4))], ["softmax"])["a"][1]
    assert_calm(student.observed)
    # Sums around 30000 are stored to 4e-12, and softmax passes that on.
    assert_close(yours, expected, rtol=1e-9, name="the output")


@weight(3)
@number("15.H2")
def test_trace_fits_together(student, reference, rng):
    """In the trace z[k] is the weighted sum of a[k], a[k + 1] is the activation of z[k], and a[0] equals X"""
    for names in (["tanh", "sigmoid"], ["elu", "tanh", "sigmoid", "softmax"]):
        widths = [3, 5, 4, 2, 6][: len(names) + 1]
        layers, X = network(rng, *widths), rng.standard_normal((7, 3))
        trace = student.forward(X, layers, names)

        check_trace(trace, len(names))
        assert_close(trace["a"][0], X, name="a[0]")
        for k, ((W, b), name) in enumerate(zip(layers, names, strict=True)):
            assert_close(trace["z"][k], trace["a"][k] @ W.T + b, **CLOSE, name=f"z[{k}]")
            expected = reference.forward(trace["z"][k], [(np.eye(len(b)), np.zeros(len(b)))], [name])["a"][1]
            assert_close(trace["a"][k + 1], expected, **CLOSE, name=f"a[{k + 1}]")


@weight(1)
@number("15.H2")
def test_trace_of_the_reference(student, reference, rng):
    """Every z and every a on the way are the reference's"""
    names = ["softplus", "gelu", "identity"]
    layers, X = network(rng, 4, 3, 6, 2), rng.standard_normal((5, 4))
    trace, expected = student.forward(X, layers, names), reference.forward(X, layers, names)

    check_trace(trace, 3)
    assert_close(list(trace["z"]), expected["z"], **CLOSE, name="z")
    assert_close(list(trace["a"]), expected["a"], **CLOSE, name="a")


@weight(2)
@number("15.H2")
def test_trace_does_not_share_the_input(student, rng):
    """a[0] is a copy of X, so that the trace stays what it was when X changes, for one layer of identity too"""
    for names in (["identity"], ["tanh", "identity"]):
        X = rng.standard_normal((3, 4))
        trace = student.forward(X, network(rng, *[4] * (len(names) + 1)), names)

        assert_leaves_inputs_alone(student.observed)
        assert_close(trace["a"][0], X, name="a[0]")


@weight(2)
@number("15.H3")
def test_no_row_looks_at_another(student, rng):
    """Samples in another order, and in other company, get the outputs that they had before"""
    for names in (["relu", "softmax"], ["tanh", "identity"]):
        layers, X = network(rng, 3, 5, 4), rng.standard_normal((6, 3))
        order = rng.permutation(6)[:4]
        company = np.vstack([X[order], rng.standard_normal((1, 3))])

        before = student.forward(X, layers, names)["a"][-1]
        after = student.forward(company, layers, names)["a"][-1]
        assert_close(after[:4], before[order], **CLOSE, name="the output for four of six samples in other company")


@weight(1)
@number("15.H3")
def test_order_of_the_hidden_units(student, rng):
    """Hidden units in another order, with their biases and with the columns of the next W, change nothing"""
    (W1, b1), (W2, b2) = network(rng, 3, 6, 2)
    X, order = rng.standard_normal((4, 3)), rng.permutation(6)

    straight = student.forward(X, [(W1, b1), (W2, b2)], ["tanh", "sigmoid"])["a"][-1]
    mixed = student.forward(X, [(W1[order], b1[order]), (W2[:, order], b2)], ["tanh", "sigmoid"])["a"][-1]
    assert_close(mixed, straight, **CLOSE, name="the output with hidden units in another order")


@weight(4)
@number("15.H4")
@pytest.mark.parametrize("batch_size", [3, 1, 64])
def test_batches(student, reference, rng, batch_size):
    """predict gives all rows in their order, for batches of three, of one and of more than there are"""
    names = ["elu", "softmax"]
    layers, X = network(rng, 4, 6, 3), rng.standard_normal((10, 4))
    expected = reference.forward(X, layers, names)["a"][-1]

    yours = student.predict(X, layers, names, batch_size)
    assert_close(yours, expected, **CLOSE, name=f"predict with batch_size={batch_size}")


@weight(1)
@number("15.H4")
def test_batches_by_default(student, reference, rng):
    """predict gives the output of forward without a batch_size, with one of N, and with one that leaves a single row"""
    layers, X = network(rng, 3, 2, 5), rng.standard_normal((5, 3))
    expected = reference.forward(X, layers, ["sigmoid", "tanh"])["a"][-1]

    assert_close(student.predict(X, layers, ["sigmoid", "tanh"]), expected, **CLOSE, name="predict")
    for batch_size in (5, 2):
        yours = student.predict(X, layers, ["sigmoid", "tanh"], batch_size=batch_size)
        assert_close(yours, expected, **CLOSE, name=f"predict with batch_size={batch_size}")


@weight(1)
@number("15.H4")
@pytest.mark.parametrize("batch_size", [None, 4])
def test_one_sample_and_none(student, rng, batch_size):
    """predict of one sample is an array of shape (1, O), and of no samples at all one of shape (0, O)"""
    layers = network(rng, 3, 5, 2)
    for N in (1, 0):
        yours = student.predict(rng.standard_normal((N, 3)), layers, ["relu", "sigmoid"], batch_size)
        assert_shape(yours, (N, 2), name=f"predict of {N} samples")


@weight(4)
@number("15.H5")
def test_single_sample(student, reference, rng):
    """forward_single takes (D,), returns (O,), and gives what the sample gets in a batch"""
    for widths, names in (
        ((3, 3), ["tanh"]),
        ((4, 2, 3), ["relu", "softmax"]),
        ((2, 5, 3, 1), ["elu", "gelu", "identity"]),
    ):
        layers, x = network(rng, *widths), rng.standard_normal(widths[0])
        expected = reference.forward(x[None], layers, names)["a"][-1][0]

        yours = student.forward_single(x, layers, names)
        assert_shape(yours, (widths[-1],), name="forward_single(x, ...)")
        assert_close(yours, expected, **CLOSE, name="forward_single(x, ...)")


@weight(1)
@number("15.H6")
def test_float32_all_the_way(student, reference, rng):
    """A float32 network on float32 samples stays float32 in every z and a, in predict and in forward_single"""
    names = ["relu", "gelu", "tanh", "softmax"]
    layers = [(W.astype(np.float32), b.astype(np.float32)) for W, b in network(rng, 3, 5, 4, 6, 2)]
    X = rng.standard_normal((4, 3)).astype(np.float32)
    wide = reference.forward(X.astype(np.float64), [(W.astype(float), b.astype(float)) for W, b in layers], names)
    # Four layers of sums of at most 5 numbers of size 1.
    atol = 4 * float32_atol(5)

    yours = student.dense(X, *layers[0])
    assert_dtype(yours, np.float32, name="dense(X, W, b)")
    assert_close(yours, wide["z"][0], atol=atol, name="dense(X, W, b)")
    trace = student.forward(X, layers, names)
    for part in ("z", "a"):
        for k, values in enumerate(trace[part]):
            assert_dtype(values, np.float32, name=f"{part}[{k}]")
            assert_close(values, wide[part][k], atol=atol, name=f"{part}[{k}]")
    for batch_size in (None, 3):
        yours = student.predict(X, layers, names, batch_size)
        assert_dtype(yours, np.float32, name=f"predict with batch_size={batch_size}")
    yours = student.forward_single(X[0], layers, names)
    assert_dtype(yours, np.float32, name="forward_single(x, ...)")


@weight(1)
@number("15.H6")
def test_ints_become_float64(student, rng):
    """Ints give float64, in dense, in the trace with a[0], in predict and in forward_single"""
    X, W, b = rng.integers(-5, 6, (4, 3)), rng.integers(-5, 6, (2, 3)), rng.integers(-5, 6, 2)
    # Whole numbers: no rounding.
    expected = (X @ W.T + b).astype(np.float64)

    yours = student.dense(X, W, b)
    assert_dtype(yours, np.float64, name="dense(X, W, b)")
    assert_close(yours, expected, name="dense(X, W, b)")
    trace = student.forward(X, [(W, b)], ["identity"])
    for values, name in ((trace["z"][0], "z[0]"), (trace["a"][0], "a[0]"), (trace["a"][1], "a[1]")):
        assert_dtype(values, np.float64, name=name)
    assert_close(trace["a"][1], expected, name="a[1]")
    yours = student.predict(X, [(W, b)], ["identity"], 3)
    assert_dtype(yours, np.float64, name="predict(X, ...)")
    yours = student.forward_single(X[1], [(W, b)], ["identity"])
    assert_dtype(yours, np.float64, name="forward_single(x, ...)")
    assert_close(yours, expected[1], name="forward_single(x, ...)")


@weight(1)
@number("15.H6")
def test_inputs_stay(student, rng):
    """No function changes the samples or the layers, and no result shares memory with them"""
    layers, X = network(rng, 3, 3, 3), rng.standard_normal((3, 3))
    names = ["identity", "relu"]

    student.dense(X, *layers[0])
    assert_leaves_inputs_alone(student.observed)
    for batch_size in (None, 2, 5):
        student.predict(X, layers, names, batch_size)
        assert_leaves_inputs_alone(student.observed)
    student.forward_single(X[0], layers, names)
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("15.H7")
def test_widths_that_do_not_fit(student, rng):
    """dense refuses rows of X and W of different length by both names, and a b of another length, even one of length 1"""
    for D, units in ((3, 2), (2, 4)):
        X, W, b = rng.standard_normal((5, D)), rng.standard_normal((units, D + 1)), rng.standard_normal(units)
        for name in ("X", "W"):
            assert_refuses(student.dense, X, W, b, naming=name)
        for wrong in (rng.standard_normal(1), rng.standard_normal(units + 1)):
            assert_refuses(student.dense, X, W[:, 1:], wrong, naming="b")


@weight(1)
@number("15.H7")
def test_names_that_do_not_fit(student, rng):
    """forward refuses more or fewer activations than layers, and a name that it does not know"""
    layers, X = network(rng, 3, 4, 2, 5), rng.standard_normal((6, 3))
    good = ["relu", "tanh", "sigmoid"]
    for names in (good[:2], [*good, "relu"], [], ["relu", "maxout", "sigmoid"], ["ReLU", *good[1:]], [*good[:2], ""]):
        assert_refuses(student.forward, X, layers, names, naming="activations")


@weight(1)
@number("15.H7")
def test_batches_of_nothing(student, rng):
    """predict refuses a batch_size of 0 and less"""
    layers, X = network(rng, 3, 2), rng.standard_normal((5, 3))
    for batch_size in (-1, 0, -int(rng.integers(2, 9))):
        assert_refuses(student.predict, X, layers, ["tanh"], batch_size, naming="batch_size")


@weight(2)
@number("15.H8")
def test_speed(student, speed, rng):
    """forward of 10000 samples through three narrow layers takes at most six times the reference's time"""
    layers = network(rng, 24, 16, 12, 10)
    names = ["relu", "relu", "identity"]

    # Measured: numpy.einsum 1.4 times, all products at once and then a sum 3.8, a Python loop over the samples 11 to 27.
    speed.at_most(
        6, lambda module, X: module.forward(X, layers, names)["a"][-1], lambda: (rng.standard_normal((10_000, 24)),)
    )
