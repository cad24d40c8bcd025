"""Section 17: backpropagation. Hidden tests."""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refuses,
    assert_shape,
    float32_atol,
)

# Computations on single numbers

TWO = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}
ONE = {"tanh": math.tanh, "exp": math.exp, "log": math.log, "relu": lambda a: max(a, 0.0), "-": lambda a: -a}
POWERS = [3, 2, -1, -2, 0.5, 1.5]


def random_program(rng, count):
    """Return the steps and leaves of a computation in which no value is near 0 or large.

    About half of the operands are the latest result, the others any earlier one: paths of very different length, and
    values that are used often.
    """
    values = {name: float(rng.choice([-1, 1]) * rng.uniform(0.5, 2)) for name in "abc"}
    leaves, steps, unused = dict(values), [], set(values)
    while len(steps) < count:
        names = list(values)
        left, right = (names[-1] if rng.random() < 0.5 else str(rng.choice(names)) for _ in "12")
        x, y, kind = values[left], values[right], rng.integers(10)
        if kind < 5:
            sign = str(rng.choice(list(TWO)))
            if rng.random() < 0.2:
                right = y = int(rng.integers(2, 4))
            words, value = (left, sign, right), TWO[sign](x, y)
        elif kind < 7:
            power = POWERS[rng.integers(4 if x < 0 else 6)]
            words, value, right = (left, "**", power), x**power, left
        else:
            function = str(rng.choice([f for f in ONE if f != "log" or x > 0]))
            words, value, right = (function, left), ONE[function](x), left
        if 0.2 < abs(value) < 5:
            name = f"v{len(steps)}"
            steps.append((name, *words))
            values[name] = value
            unused = unused - {left, right} | {name}
    total, *rest = sorted(unused)
    for place, name in enumerate(rest):
        steps.append((f"s{place}", total, "+", name))
        total = f"s{place}"
    return steps, leaves


def assert_program(student, reference, steps, leaves, roots=None):
    """The value and every grad agree with the reference's, to nine digits of the largest grad or of their own."""
    value, grads = reference.run_program(steps, leaves, roots)
    found, yours = student.run_program(steps, leaves, roots)

    assert_close(found, value, rtol=1e-9, atol=1e-12, name="the value")
    # Terms of either sign add up in a grad: what they lose is relative to the largest of them.
    scale = max(map(abs, grads.values()))
    for name, grad in grads.items():
        assert_close(yours[name], grad, rtol=1e-9, atol=1e-12 * scale, name=f"{name}.grad")


@weight(3)
@number("17.H12")
@pytest.mark.parametrize("word", ["+", "-", "*", "/", "**", "tanh", "relu", "exp", "log", "negative"])
def test_one_operation(student, rng, word):
    """Each operation by itself has the right value and the right slopes, everything times a number"""
    a, b = (float(rng.uniform(0.6, 2)) for _ in "ab")
    power = float(rng.uniform(1.5, 3.5))
    cases = {
        "+": (("v", "a", "+", "b"), a + b, 1, 1),
        "-": (("v", "a", "-", "b"), a - b, 1, -1),
        "*": (("v", "a", "*", "b"), a * b, b, a),
        "/": (("v", "a", "/", "b"), a / b, 1 / b, -a / b**2),
        "**": (("v", "a", "**", power), a**power, power * a ** (power - 1), 0),
        "tanh": (("v", "tanh", "a"), math.tanh(a), 1 - math.tanh(a) ** 2, 0),
        "relu": (("v", "relu", "a"), a, 1, 0),
        "exp": (("v", "exp", "a"), math.exp(a), math.exp(a), 0),
        "log": (("v", "log", "a"), math.log(a), 1 / a, 0),
        "negative": (("v", "-", "a"), -a, -1, 0),
    }
    step, value, for_a, for_b = cases[word]
    factor = float(rng.uniform(2, 3))

    found, grads = student.run_program([step, ("o", factor, "*", "v")], {"a": a, "b": b})

    assert_close(found, factor * value, rtol=1e-12, name="the value")
    expected = {"a": factor * for_a, "b": factor * for_b, "v": factor, "o": 1.0}
    assert_close(grads, expected, rtol=1e-12, atol=1e-14, name="the grads")


@weight(5)
@number("17.H1")
def test_random_programs(student, reference, rng):
    """In computations of up to 60 random steps every leaf and every result has the right grad"""
    for count in (4, 8, 20, 20, 40, 60):  # small ones first: the first failure is easy to read
        assert_program(student, reference, *random_program(rng, count))


@weight(3)
@number("17.H2")
def test_diamond(student, reference, rng):
    """A value that is used twice, in a product with itself, in sums, near and far, receives the sum over all paths"""
    x, k = (float(rng.uniform(0.5, 2)) for _ in "12")
    square = [("o", "x", "*", "x")]
    assert_program(student, reference, square, {"x": x})
    double = [("y", "x", "+", "x"), ("o", "y", "*", k)]
    assert_program(student, reference, double, {"x": x})
    lesson = [("y", k, "*", "x"), ("s", "y", "*", "y"), ("t", "s", "+", "y"), ("o", "t", "+", "x")]
    assert_program(student, reference, lesson, {"x": x})
    # p is used at once and, by a long way round, again: its grad is complete only after the whole way.
    far = [("p", "x", "*", k), ("q", "tanh", "p"), ("r", "q", "*", "q"), ("s", "exp", "r"), ("o", "p", "*", "s")]
    assert_program(student, reference, far, {"x": x})
    near = [*far[:-1], ("o", "s", "*", "p")]
    assert_program(student, reference, near, {"x": x})


@weight(1)
@number("17.H2")
def test_outside_the_graph(student, reference, rng):
    """Values that the root was not computed from keep a grad of 0, also those computed from the same leaves"""
    leaves = {name: float(rng.uniform(0.5, 2)) for name in "xyz"}
    steps = [("u", "x", "*", "y"), ("aside", "u", "*", "z"), ("o", "u", "+", "x")]

    assert_program(student, reference, steps, leaves)


@weight(2)
@number("17.H2")
def test_two_roots(student, reference, rng):
    """Backward from two roots adds up, also where both use the same intermediate result, and again from one of them"""
    leaves = {name: float(rng.uniform(0.5, 2)) for name in "xy"}
    # One root first, so that a wrong order of visiting is told from what goes wrong with the second root.
    one = [("u", "x", "*", "y"), ("v", "u", "*", "u"), ("o", "v", "+", "u")]
    assert_program(student, reference, one, leaves)
    apart = [("p", "x", "*", 3), ("q", "x", "*", "y")]
    assert_program(student, reference, apart, leaves, ["p", "q"])
    shared = [("u", "x", "*", "y"), ("p", "exp", "u"), ("q", "u", "*", "x")]
    assert_program(student, reference, shared, leaves, ["p", "q"])
    assert_program(student, reference, shared, leaves, ["q", "q", "p"])


@weight(2)
@number("17.H11")
def test_deep_chain(student):
    """A chain of 1100 operations is no problem"""
    steps = [("v0", "x", "+", "x"), *((f"v{k}", f"v{k - 1}", "+", "x") for k in range(1, 1100))]
    value, grads = student.run_program(steps, {"x": 0.25})

    assert_close(value, 1101 / 4, name="the value")
    assert_close(grads["x"], 1101.0, name="x.grad")


@weight(1)
@number("17.H2")
def test_without_a_program(student, rng):
    """A Value has data, and a grad that is 0 before and the slope after backward"""
    number_ = float(rng.uniform(0.3, 2))
    x = student.Value(number_)
    assert_close(x.data, number_, name="Value(x).data")
    assert_close(x.grad, 0.0, name="Value(x).grad")

    e = x.exp()
    e.backward()
    assert_close(e.data, math.exp(number_), rtol=1e-12, name="x.exp().data")
    assert_close(x.grad, math.exp(number_), rtol=1e-12, name="x.grad")
    assert_close(e.grad, 1.0, name="the root's own grad")
    assert_close(x.data, number_, name="Value(x).data after backward")


@weight(2)
@number("17.H4")
@pytest.mark.parametrize("side", ["left", "right"])
def test_plain_numbers(student, reference, rng, side):
    """Ints and floats may stand on either side of + - * /"""
    x = float(rng.uniform(0.5, 2))
    for plain in (int(rng.integers(2, 9)), float(rng.uniform(2, 9)), -3):
        for sign in TWO:
            step = ("o", plain, sign, "x") if side == "left" else ("o", "x", sign, plain)
            assert_program(student, reference, [step], {"x": x})


@weight(1)
@number("17.H4")
def test_relu_on_the_left(student, rng):
    """relu of a negative Value is 0 with slope 0, and so is relu of exactly 0"""
    for x in (-float(rng.uniform(0.1, 3)), 0.0):
        value, grads = student.run_program([("r", "relu", "x"), ("o", "r", "*", 3)], {"x": x})
        assert_close(value, 0.0, name=f"relu({x:.3g})")
        assert_close(grads["x"], 0.0, name=f"the slope of relu at {x:.3g}")


# Whole layers

SIZES = [[4, 4, 4], [4, 3, 2], [3, 2], [2, 5, 4, 3], [3, 4, 2, 5, 2]]  # the square one first: there all shapes fit
SMOOTH = ["tanh", "sigmoid", "identity"]


def network(rng, sizes, dtype=np.float64):
    """Layers with weights of either sign and biases that are not 0."""
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    return [(rng.normal(0, 0.8, shape).astype(dtype), rng.normal(0, 0.5, shape[0]).astype(dtype)) for shape in shapes]


def task(rng, n, sizes, loss, dtype=np.float64):
    """Samples and targets for a network of these sizes."""
    X = rng.standard_normal((n, sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], n) if loss == "cce" else rng.standard_normal((n, sizes[-1])).astype(dtype)
    return X, y


def loss_of(X, y, layers, activations, loss):
    """The loss as sections 15 and 16 define it."""
    functions = {"identity": lambda z: z, "tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}
    for (W, b), name in zip(layers, activations, strict=True):
        X = functions[name](X @ W.T + b)
    if loss == "mse":
        return np.mean((X - y) ** 2)
    return np.mean(np.log(np.exp(X).sum(axis=1)) - X[np.arange(len(y)), y])


def assert_network_gradients(found, X, y, layers, activations, loss):
    """Every dW, db and dX is what forward passes and central differences find."""
    for i, (W, b) in enumerate(layers):
        before, after = layers[:i], layers[i + 1 :]

        def with_weights(at, b=b, before=before, after=after):
            return loss_of(X, y, [*before, (at, b), *after], activations, loss)

        def with_biases(at, W=W, before=before, after=after):
            return loss_of(X, y, [*before, (W, at), *after], activations, loss)

        dW, db = found["grads"][i]
        assert_gradient(dW, with_weights, W, 1.0, name=f"dW of layer {i}")
        assert_gradient(db, with_biases, b, 1.0, name=f"db of layer {i}")
    assert_gradient(found["dX"], lambda at: loss_of(at, y, layers, activations, loss), X, 1.0, name="dX")


@weight(8)
@number("17.H3")
def test_gradients_against_differences(student, rng):
    """Loss, dW, db and dX of one to four smooth layers are what forward passes and central differences find"""
    for n, sizes, loss in zip((5, 6, 7, 3, 4, 5), [*SIZES, SIZES[0]], ["mse", "cce"] * 3, strict=True):
        layers, (X, y) = network(rng, sizes), task(rng, n, sizes, loss)
        activations = [*map(str, rng.permutation(SMOOTH[:2])), SMOOTH[2]]
        activations = [*activations[: len(layers) - 1], "identity" if loss == "cce" else "tanh"]
        found = student.backprop(X, y, layers, activations, loss)

        assert_close(found["loss"], loss_of(X, y, layers, activations, loss), rtol=1e-10, name="loss")
        assert_network_gradients(found, X, y, layers, activations, loss)


@weight(4)
@number("17.H11")
def test_any_network(student, reference, rng):
    """All four activations in any place, the last one too, with one sample and with many, agree with the reference"""
    for n in (1, 9):
        for sizes in SIZES:
            loss = str(rng.choice(["mse", "cce"]))
            layers, (X, y) = network(rng, sizes), task(rng, n, sizes, loss)
            activations = [str(name) for name in rng.choice(["relu", *SMOOTH], len(layers))]
            found = student.backprop(X, y, layers, activations, loss)
            # Sums of at most 9 terms, four layers deep: a few hundred roundings of values of size 10.
            expected = reference.backprop(X, y, layers, activations, loss)
            for key in ("loss", "grads", "dX"):
                assert_close(found[key], expected[key], rtol=1e-9, atol=1e-12, name=key)


@weight(1)
@number("17.H4")
def test_relu_at_zero(student, rng):
    """Where the input of a relu is exactly 0 or negative nothing comes back through it"""
    X, b1 = np.zeros((3, 2)), np.array([0.0, 1.0, -1.0, 0.0])  # z is b1 for every sample
    W1, W2, b2 = rng.standard_normal((4, 2)), rng.standard_normal((2, 4)), rng.standard_normal(2)
    y = rng.standard_normal((3, 2))
    upstream = 2 * (W2[:, 1] + b2 - y) / 6 @ W2

    found = student.backprop(X, y, [(W1, b1), (W2, b2)], ["relu", "identity"], "mse")
    assert_close(found["grads"][0][1], upstream.sum(axis=0) * [0, 1, 0, 0], rtol=1e-10, name="db of the relu layer")
    assert_close(found["dX"], upstream[:, 1:2] * W1[1], rtol=1e-10, atol=1e-14, name="dX")


@weight(1)
@number("17.H11")
def test_extreme_numbers(student, reference, rng):
    """Logits in the thousands and sigmoids far out overflow nowhere and give finite gradients"""
    for sizes, activations, loss in (([3, 4], ["identity"], "cce"), ([3, 4, 2], ["sigmoid", "identity"], "mse")):
        layers, (X, y) = network(rng, sizes), task(rng, 5, sizes, loss)
        found = student.backprop(2000 * X, y, layers, activations, loss)
        assert_calm(student.observed)
        expected = reference.backprop(2000 * X, y, layers, activations, loss)
        # Logits of 1e4 are right to 1e-11.
        for key in ("loss", "grads", "dX"):
            assert_close(found[key], expected[key], rtol=1e-9, atol=1e-7, name=key)


# The check of a gradient


def cubes(claimed=lambda grads: grads, scale=1.0):
    """The loss scale * sum of p³ over all parameters, and its gradient, changed by `claimed` before it is returned."""

    def loss_and_grad(params):
        return scale * math.fsum(float((p**3).sum()) for p in params), claimed([scale * 3 * p**2 for p in params])

    return loss_and_grad


@weight(1)
@number("17.H5")
def test_right_gradient_passes(student, rng):
    """A right gradient of several parameters, also of shape (), has an error below 1e-7, however large or small it is"""
    params = [rng.uniform(0.5, 2, (2, 1)), np.array(rng.uniform(0.5, 2)), -rng.uniform(0.5, 2, 1)]
    for scale in (1e6, 1.0, 1e-6):
        # The formula is off by h² / (6 p²) < 1e-10, rounding of the sum by 20 * 1e-16 / 1e-5 / 0.75 < 1e-9.
        error = student.gradient_check(cubes(scale=scale), params)
        assert_close(error, 0.0, atol=1e-7, name=f"the error of a right gradient (times {scale:g})")


@weight(2)
@number("17.H5")
def test_size_of_the_error(student, rng):
    """A claimed gradient of f times the true one has the relative error |f - 1| / (|f| + 1), large gradients and small"""
    params = [rng.uniform(0.5, 2, (1, 1)), -rng.uniform(0.5, 2, 2)]
    for scale in (1.0, 1e5, 1e-3):
        for factor in (1.01, 0.0, -1.0):

            def claimed(grads, factor=factor):
                return [grads[0], grads[1] * [1.0, factor]]

            error = student.gradient_check(cubes(claimed, scale), params)
            # Both kinds of error of the differences stay below 1e-8.
            expected = abs(factor - 1) / (abs(factor) + 1)
            assert_close(error, expected, rtol=0.0, atol=1e-7, name=f"the error for {factor} times the gradient")


@weight(2)
@number("17.H11")
def test_one_wrong_entry(student, rng):
    """One wrong entry among 60 is found, wherever it is"""
    params = [rng.uniform(0.5, 2, (4, 5)), rng.uniform(0.5, 2, (8, 5))]
    wrong = np.ones(60)
    wrong[rng.choice([*range(10, 20), *range(30, 60)])] = 1.5  # not among the first ten of either array

    def claimed(grads):
        return [grads[0] * wrong[:20].reshape(4, 5), grads[1] * wrong[20:].reshape(8, 5)]

    error = student.gradient_check(cubes(claimed), params)
    assert_close(error, 0.2, rtol=0.0, atol=1e-6, name="the error")


@weight(1)
@number("17.H5")
def test_tiny_gradients(student, rng):
    """Below 1e-8 the error counts in parts of 1e-8: 0 for 0, 0.01 for 1e-10 where nothing is, and never NaN"""
    p = rng.uniform(0.5, 2, 3)
    for claimed, expected in ((0.0, 0.0), (1e-10, 1e-2), (-4e-9, 0.4)):
        error = student.gradient_check(lambda params, claimed=claimed: (1.0, [np.array([0.0, claimed, 0.0])]), [p])
        assert_close(error, expected, rtol=1e-9, name=f"the error of {claimed} instead of 0")


@weight(1)
@number("17.H5")
def test_step_size(student, rng):
    """h is the step: for p³ the central difference is 3 p² + h², so the error is h² / (6 p² + h²)"""
    for h in (0.5, 0.05):
        p = float(rng.uniform(0.5, 2))
        error = student.gradient_check(cubes(), [np.array([p])], h)
        # Rounding: 1e-15 / h.
        assert_close(error, h * h / (6 * p * p + h * h), rtol=1e-7, name=f"the error for h = {h}")


@weight(1)
@number("17.H5")
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_broken_gradient(student, rng, poison):
    """A gradient with a NaN or an infinity in one place does not pass as right"""
    params = [rng.uniform(0.5, 2, 3), rng.uniform(0.5, 2, 2)]
    for place in range(3):

        def claimed(grads, place=place):
            grads[0][place] = poison
            return grads

        error = student.gradient_check(cubes(claimed), params)
        assert not error < 1, f"with {poison} in the gradient the error is {error}"


@weight(1)
@number("17.H5")
def test_one_entry_at_a_time(student, rng):
    """Every loss is asked for with at most one entry moved, and the others bit for bit what they were"""
    params = [rng.standard_normal((2, 3)) * 1e3, rng.standard_normal(2) / 7]
    asked = []

    def loss_and_grad(at):
        asked.append(max(sum(np.count_nonzero(p != q) for p, q in zip(params, at, strict=True)), 0))
        return float(sum((p**2).sum() for p in at)), [2 * p for p in at]

    student.gradient_check(loss_and_grad, params, 1e-3)
    assert_leaves_inputs_alone(student.observed)
    assert max(asked) == 1, "no two entries may be moved at the same time, and each must be put back exactly"
    assert asked.count(1) >= 16, "each of the 8 entries must be moved to both sides"


# Updates


@weight(1)
@number("17.H6")
def test_old_weights(student, reference, rng):
    """Gradients belong to the weights of the forward pass: large gradients of the last layer do not disturb the others"""
    sizes = [3, 4, 2]
    layers, (X, y) = network(rng, sizes), task(rng, 5, sizes, "mse")
    found = student.backprop(X, 100 * y, layers, ["tanh", "identity"], "mse")
    expected = reference.backprop(X, 100 * y, layers, ["tanh", "identity"], "mse")

    assert_leaves_inputs_alone(student.observed)
    for i in (1, 0):
        assert_close(found["grads"][i], expected["grads"][i], rtol=1e-9, atol=1e-10, name=f"grads of layer {i}")
    assert_close(found["dX"], expected["dX"], rtol=1e-9, atol=1e-10, name="dX")


@weight(2)
@number("17.H6")
def test_update(student, rng):
    """sgd_update moves all weights and all biases against their gradients, in proportion to lr and to the gradient"""
    layers, grads = network(rng, [3, 5, 5, 2]), network(rng, [3, 5, 5, 2])
    for lr in (float(rng.uniform(0.1, 2)), 1.0, 1e-3):
        yours = student.sgd_update(layers, grads, lr)
        expected = [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(layers, grads, strict=True)]
        assert_close(yours, expected, rtol=1e-12, atol=1e-15, name=f"the layers after a step of {lr:.3g}")


@weight(1)
@number("17.H6")
def test_updates_are_copies(student, rng):
    """The new layers are new arrays, also where nothing changes, and the old layers and gradients stay as they were"""
    layers, grads = network(rng, [3, 4, 2]), network(rng, [3, 4, 2])
    nothing = [(0 * dW, 0 * db) for dW, db in grads]
    for gradients, lr in ((grads, 0.3), (nothing, 0.3), (grads, 0.0)):
        student.sgd_update(layers, gradients, lr)
        assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("17.H6")
@pytest.mark.parametrize("loss", ["mse", "cce"])
def test_inputs_stay(student, rng, loss):
    """backprop changes neither data nor layers, and its results share no memory with them, also for one identity layer"""
    for sizes in ([3, 2], [3, 4, 2]):
        layers, (X, y) = network(rng, sizes), task(rng, 5, sizes, loss)
        student.backprop(X, y, layers, ["relu", "identity"][-len(layers) :], loss)
        assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("17.H9")
def test_kind_of_number(student, reference, rng):
    """A float32 network has float32 gradients, a float64 network float64 ones, and the loss is a plain number"""
    sizes, every = [3, 5, 4, 6, 2], ["sigmoid", "relu", "tanh", "identity"]
    for loss in ("mse", "cce"):
        for dtype in (np.float32, np.float64):
            layers, (X, y) = network(rng, sizes, dtype), task(rng, 7, sizes, loss, dtype)
            found = student.backprop(X, y, layers, every, loss)
            assert_shape(found["loss"], (), name="loss")
            assert_dtype(found["dX"], dtype, name=f"dX of a {X.dtype} network")
            for i, (dW, db) in enumerate(found["grads"]):
                assert_dtype(dW, dtype, name=f"dW of layer {i} of a {X.dtype} network")
                assert_dtype(db, dtype, name=f"db of layer {i} of a {X.dtype} network")
            wide = [(W.astype(np.float64), b.astype(np.float64)) for W, b in layers]
            y = y.astype(np.float64) if loss == "mse" else y
            expected = reference.backprop(X.astype(np.float64), y, wide, every, loss)
            # Four layers, sums of at most 7 terms, values of size 2.
            atol = float32_atol(4 * 7, 2) if dtype == np.float32 else 1e-12
            assert_close(found["grads"], expected["grads"], atol=atol, name="grads")


@weight(1)
@number("17.H9")
def test_kind_of_update(student, rng):
    """sgd_update leaves float32 layers float32"""
    layers, grads = network(rng, [3, 5, 2], np.float32), network(rng, [3, 5, 2], np.float32)
    yours = student.sgd_update(layers, grads, 0.1)

    for i, layer in enumerate(yours):
        for array, what in zip(layer, "Wb", strict=True):
            assert_dtype(array, np.float32, name=f"{what} of layer {i}")
    expected = [(W - 0.1 * dW, b - 0.1 * db) for (W, b), (dW, db) in zip(layers, grads, strict=True)]
    assert_close(yours, expected, atol=float32_atol(1, 2), name="the new layers")


# Bad input


@weight(1)
@number("17.H10")
def test_exponents(student, rng):
    """A Value as exponent is refused by name"""
    x, y = (float(rng.uniform(1, 2)) for _ in "12")
    assert_refuses(student.run_program, [("o", "x", "**", "y")], {"x": x, "y": y}, naming="exponent")
    assert_refuses(student.run_program, [("o", "x", "**", "x")], {"x": x}, naming="exponent")


@weight(1)
@number("17.H10")
def test_logarithms(student, rng):
    """The log of 0 and of negative Values is refused by name"""
    for x in (0.0, -1e-300, -float(rng.uniform(0.1, 3))):
        assert_refuses(student.run_program, [("o", "log", "x")], {"x": x}, naming="log")


@weight(1)
@number("17.H10")
@pytest.mark.parametrize("what", ["layers", "activations", "y", "labels", "loss"])
def test_networks_that_do_not_fit(student, rng, what):
    """backprop names what is wrong: layers whose widths do not chain, activations, targets, labels, or the loss"""
    sizes, activations = [3, 4, 2], ["tanh", "identity"]
    layers, (X, y) = network(rng, sizes), task(rng, 5, sizes, "mse")
    labels = rng.integers(0, 2, 5)
    (W1, b1), (W2, b2) = layers

    def bad_label(label):
        return np.append(labels[:4], label)

    calls = {
        "layers": [
            (X, y, [(W1, b1[:1]), (W2, b2)], activations, "mse"),  # this one numpy would stretch to fit
            (X[:, :2], y, layers, activations, "mse"),
            (X, y, [(W1, b1), (W2[:, :3], b2)], activations, "mse"),
            (X, y, [(W1, b1), (W2, b2[:, None])], activations, "mse"),
        ],
        "activations": [
            (X, y, layers, [*activations, "identity"], "mse"),
            (X, y, layers, activations[:1], "mse"),
            (X, y, layers, ["tanh", "softmax"], "mse"),
            (X, y, layers, ["swish", "identity"], "mse"),
        ],
        "y": [
            (X, y[:, :1], layers, activations, "mse"),  # the first three numpy would stretch to fit
            (X, y[:1], layers, activations, "mse"),
            (X, y[0], layers, activations, "mse"),
            (X, y[:4], layers, activations, "mse"),
        ],
        "labels": [
            (X, bad_label(2), layers, activations, "cce"),
            (X, bad_label(-1), layers, activations, "cce"),
            (X, labels[:4], layers, activations, "cce"),
            (X, labels[:, None], layers, activations, "cce"),
        ],
        "loss": [(X, labels, layers, activations, "CCE"), (X, y, layers, activations, "mae")],
    }
    for arguments in calls[what]:
        assert_refuses(student.backprop, *arguments, naming="y" if what == "labels" else what)


@weight(1)
@number("17.H10")
def test_no_step(student, rng):
    """gradient_check refuses a step of 0 or less by name"""
    for h in (0.0, -1e-5, -float(rng.uniform(0.1, 1))):
        assert_refuses(student.gradient_check, cubes(), [rng.uniform(0.5, 2, 2)], h, naming="h")


# The whole


@weight(2)
@number("17.H7")
def test_eight_points(student, rng):
    """A tanh network of two hidden layers learns 8 random points by heart in at most 500 updates"""
    # Points near the corners of a cube, so that none are too close to each other. Measured: 127 updates at most in 200.
    corners = np.stack(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]), axis=-1).reshape(8, 3)
    for seed in rng.spawn(2):  # one of two must succeed
        X, y = corners + seed.uniform(-0.1, 0.1, (8, 3)), seed.uniform(-1, 1, (8, 2))
        shapes = [(16, 3), (16, 16), (2, 16)]
        layers = [(seed.standard_normal(shape) / np.sqrt(shape[1]), np.zeros(shape[0])) for shape in shapes]
        for _ in range(500):
            found = student.backprop(X, y, layers, ["tanh", "tanh", "identity"], "mse")
            if found["loss"] < 0.01:
                return
            if not found["loss"] < 1e3:
                break
            layers = student.sgd_update(layers, found["grads"], 0.3)
    pytest.fail(f"after 500 updates the loss is {found['loss']:.3g}, and should be below 0.01")


@weight(2)
@number("17.H8")
def test_speed(student, speed, rng):
    """backprop of 512 samples through 64-64-64-10 takes at most ten times the reference's time"""
    layers, (X, y) = network(rng, [64, 64, 64, 10]), task(rng, 512, [64, 64, 64, 10], "cce")
    inputs = (X, y, layers, ["relu", "tanh", "identity"], "cce")
    # Measured: einsum instead of matrix products up to 5 times, a loop over the samples 22 times.
    speed.at_most(10, lambda module, *arguments: module.backprop(*arguments), lambda: inputs)


@weight(1)
@number("17.H8")
def test_every_value_once(student, speed, rng):
    """backward visits a Value once, although 14 doublings in a row lead back over 16384 paths"""
    steps = []
    for chain in range(20):
        before = "x"
        for k in range(14):
            steps.append((f"{chain}.{k}", before, "+", before))
            before = steps[-1][0]
        steps.append((f"o{chain}", f"o{chain - 1}" if chain else 0, "+", before))
    x = float(rng.uniform(0.5, 2))
    # Measured: other ways to find an order 0.7 to 1.4 times, walking along every path 500 times.
    speed.at_most(10, lambda module, *arguments: module.run_program(*arguments), lambda: (steps, {"x": x}))
