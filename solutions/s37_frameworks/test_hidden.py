"""Section 37: the same network in numpy and in PyTorch. Hidden tests."""

import itertools
from functools import partial

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_equal,
    assert_leaves_inputs_alone,
    assert_leaves_random_state_alone,
    assert_refused,
    float32_atol,
    is_tensor,
    tensor,
)

BOTH = pytest.mark.parametrize("function", ["numpy_loss_grads", "torch_loss_grads"])
# Samples and widths: N, D, H and C pairwise different, one sample alone, and everything square.
SIZES = [(5, [4, 3]), (7, [3, 5, 2]), (1, [6, 4, 3, 5]), (4, [4, 4, 4]), (9, [2, 7, 6, 5, 3])]


def drawn(rng, n, sizes, dtype=np.float64):
    """Samples, labels and a network whose ReLUs all stay clear of their kink, where the slopes may rightly differ."""
    while True:
        X = rng.standard_normal((n, sizes[0])).astype(dtype)
        layers = [
            ((rng.standard_normal((o, i)) * np.sqrt(2 / i)).astype(dtype), (0.3 * rng.standard_normal(o)).astype(dtype))
            for i, o in itertools.pairwise(sizes)
        ]
        if all(np.abs(Z).min() > 1e-4 for Z in preactivations(X, layers)):
            return X, rng.integers(0, sizes[-1], n), layers


def preactivations(X, layers):
    """Every layer's Z, by the formula."""
    found = []
    for W, b in layers:
        found.append(X @ W.T + b)
        X = np.maximum(found[-1], 0)
    return found


def widened(layers):
    """The same network in float64."""
    return [(W.astype(np.float64), b.astype(np.float64)) for W, b in layers]


def state_of(layers):
    """The state dict of the network, as a test may send it."""
    return {
        f"{2 * i}.{part}": tensor(array)
        for i, layer in enumerate(layers)
        for part, array in zip(("weight", "bias"), layer, strict=True)
    }


@weight(8)
@number("37.H1")
@BOTH
@pytest.mark.parametrize(("n", "sizes"), SIZES)
def test_loss_and_gradients(student, reference, rng, function, n, sizes):
    """Loss and gradients of 1 to 4 layers are right to nine digits in float64 and to five in float32"""
    cases = [(dtype, *drawn(rng, n, sizes, dtype)) for dtype in (np.float64, np.float32)]
    values = student.together(partial(getattr(student, function), X, y, layers) for _, X, y, layers in cases)
    for (dtype, X, y, layers), yours in zip(cases, values, strict=True):
        expected = reference.numpy_loss_grads(X.astype(np.float64), y, widened(layers))
        # The longest sum has 9 terms, four layers follow each other, and logits may reach 30.
        rtol, atol = (1e-9, 1e-12) if dtype == np.float64 else (1e-5, float32_atol(4 * 9, scale=2.0))
        assert_close(yours, expected, rtol=rtol, atol=atol)


@weight(3)
@number("37.H2")
@pytest.mark.parametrize("sizes", [[4, 3], [3, 5, 2], [4, 4, 4], [2, 7, 6, 5, 3]])
def test_network_of_the_given_weights(student, rng, sizes):
    """build_torch has a ReLU between layers and none at the end, torch's names, and logits as by hand"""
    X, _, layers = drawn(rng, 6, sizes)
    net = student.newest(student.build_torch)

    _, logits, state, modules = student.together(
        [partial(student.build_torch, layers), partial(net, tensor(X)), partial(net.state_dict), partial(len, net)]
    )
    # sums of at most 8 terms of size 10: an atol of 1e-12 leaves room for any order of adding
    assert_close(logits, preactivations(X, layers)[-1], rtol=1e-9, atol=1e-12, name="what the network gives")
    assert_equal(state, state_of(layers), name="its state dict")
    assert modules == 2 * len(layers) - 1, f"{len(layers)} layers need {2 * len(layers) - 1} modules, not {modules}"


@weight(2.5)
@number("37.H2")
@pytest.mark.parametrize("sizes", [[4, 3], [3, 5, 2], [4, 4, 4], [2, 7, 6, 5, 3]])
def test_state_dict_moves_weights(student, rng, sizes):
    """to_state_dict loads into a network with other weights, nothing missing; the tensors are copies"""
    X, _, layers = drawn(rng, 6, sizes)
    _, _, others = drawn(rng, 6, sizes)

    net = student.newest(student.build_torch)
    state, _, _, logits = student.together(
        [
            partial(student.to_state_dict, layers),
            partial(student.build_torch, others),
            partial(net.load_state_dict, state_of(layers)),  # which `state` is held to be
            partial(net, tensor(X)),
        ]
    )
    assert_leaves_inputs_alone(student.observed)
    assert_equal(state, state_of(layers))
    assert_close(logits, preactivations(X, layers)[-1], rtol=1e-9, atol=1e-12)
    assert all(is_tensor(value) for value in state.values()), "the values of a state dict must be tensors"


@weight(2.5)
@number("37.H2")
@pytest.mark.parametrize("sizes", [[4, 3], [3, 5, 2], [4, 4, 4], [2, 7, 6, 5, 3]])
def test_layers_of_a_state_dict(student, rng, sizes):
    """from_state_dict returns the layers as numpy arrays of their own"""
    _, _, layers = drawn(rng, 6, sizes)

    found = student.from_state_dict(state_of(layers))

    assert_leaves_inputs_alone(student.observed)
    assert_close(found, layers, rtol=0)
    assert not any(is_tensor(array) for layer in found for array in layer), "the layers must be numpy arrays"


@weight(6)
@number("37.H3")
@pytest.mark.parametrize("steps", [3, 50])
def test_training_agrees(student, reference, rng, steps):
    """Both curves of train_both are those of gradient descent, to nine digits, over 50 steps"""
    X, y, layers = drawn(rng, 8, [3, 6, 5, 4])
    lr = rng.uniform(0.03, 0.1)
    current, expected = layers, []
    for _ in range(steps):
        loss, grads = reference.numpy_loss_grads(X, y, current)
        expected.append(loss)
        current = [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(current, grads, strict=True)]

    by_numpy, by_torch = student.train_both(X, y, layers, lr, steps)

    assert_close(by_numpy, np.array(expected), rtol=1e-9, name="the curve of numpy")
    assert_close(by_torch, np.array(expected), rtol=1e-9, name="the curve of torch")


@weight(2.5)
@number("37.H4")
@pytest.mark.parametrize("order", ["by number", "as text", "shuffled"])
def test_keys_are_sorted_by_number(student, rng, order):
    """With seven layers, 10.weight comes after 8.weight, in whatever order the keys arrive"""
    _, _, layers = drawn(rng, 3, [3] * 8)
    state = state_of(layers)
    keys = {"by number": list(state), "as text": sorted(state), "shuffled": [*map(str, rng.permutation(list(state)))]}

    assert_close(student.from_state_dict({key: state[key] for key in keys[order]}), layers, rtol=0)


@weight(2)
@number("37.H5")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_parameters_keep_their_dtype(student, rng, dtype):
    """float64 layers give float64 parameters and tensors, float32 layers float32, and back again"""
    _, _, layers = drawn(rng, 3, [4, 5, 2], dtype)
    state, back, _, parameters = student.together(
        [
            partial(student.to_state_dict, layers),
            partial(student.from_state_dict, state_of(layers)),
            partial(student.build_torch, layers),
            # the parameters themselves, not what they hold
            partial(student.newest(student.build_torch).state_dict, keep_vars=True),
        ]
    )

    assert len(parameters) == 4, f"two layers have 4 parameters, this network has {len(parameters)}"
    for key, parameter in parameters.items():
        assert_dtype(parameter, dtype, name=key)
        assert getattr(parameter, "requires_grad", False), "the parameters must be trainable: requires_grad is False"
    assert_equal(state, state_of(layers))
    for key, value in state.items():
        assert_dtype(value, dtype, name=key)
    for W, b in back:
        assert_dtype(W, dtype, name="a W from a state dict")
        assert_dtype(b, dtype, name="a b from a state dict")


@weight(1.2)
@number("37.H5")
@BOTH
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients_have_the_dtype_of_the_layers(student, reference, rng, function, dtype):
    """The loss is a number and the gradients are numpy arrays in the dtype of the layers, whatever that of the samples"""
    X, y, layers = drawn(rng, 5, [4, 6, 3], dtype)
    expected = reference.numpy_loss_grads(X.astype(np.float64), y, widened(layers))
    rtol, atol = (1e-9, 1e-12) if dtype == np.float64 else (1e-5, float32_atol(4 * 6, scale=2.0))
    other = np.float32 if dtype == np.float64 else np.float64
    whole, *_ = drawn(rng, 5, [4, 6, 3])

    inputs = [X, X.astype(other), np.rint(3 * whole).astype(np.int64)]
    values = student.together(partial(getattr(student, function), samples, y, layers) for samples in inputs)
    assert_close(
        values[0], expected, rtol=rtol, atol=atol
    )  # rounding the samples to the other dtype changes the numbers
    for samples, (loss, grads) in zip(inputs, values, strict=True):
        assert not is_tensor(loss), "the loss must be a float, not a tensor"
        for i, layer in enumerate(grads):
            for array in layer:
                assert not is_tensor(array), "the gradients must be numpy arrays, not tensors"
                assert_dtype(array, dtype, name=f"a gradient of layer {i} for {samples.dtype} samples")


CALLS = {
    "numpy_loss_grads": lambda module, X, y, layers: partial(module.numpy_loss_grads, X, y, layers),
    "build_torch": lambda module, X, y, layers: partial(module.build_torch, layers),
    "torch_loss_grads": lambda module, X, y, layers: partial(module.torch_loss_grads, X, y, layers),
    "to_state_dict": lambda module, X, y, layers: partial(module.to_state_dict, layers),
    "from_state_dict": lambda module, X, y, layers: partial(module.from_state_dict, state_of(layers)),
    "train_both": lambda module, X, y, layers: partial(module.train_both, X, y, layers, 0.1, 3),
}


@weight(1.2)
@number("37.H6")
@pytest.mark.parametrize("function", list(CALLS))
def test_global_settings_stay(student, rng, function):
    """No function moves a global random state or the default dtype, and none changes its arguments"""
    # In both dtypes: whatever the default is, one of them is another one.
    networks = [drawn(rng, 5, [4, 6, 3], dtype) for dtype in (np.float64, np.float32)]
    student.together(CALLS[function](student, *network) for network in networks)
    assert_leaves_random_state_alone(student.observed)
    assert_leaves_inputs_alone(student.observed)


@weight(2)
@number("37.H7")
@BOTH
def test_huge_logits(student, reference, rng, function):
    """With logits in the thousands loss and gradients are finite and right, and in numpy nothing overflows on the way"""
    X, y, layers = drawn(rng, 6, [3, 5, 4])
    W, b = layers[-1]
    layers[-1] = (3000 * W, b)
    expected = reference.numpy_loss_grads(X, y, layers)

    # Logits up to 3e4 are right to 3e4 * 1e-15, and so are the probabilities; the way back multiplies by up to 1e4.
    assert_close(getattr(student, function)(X, y, layers), expected, rtol=1e-9, atol=1e-6)
    if function == "numpy_loss_grads":  # torch raises no flags, and what it may warn of is no student's business
        assert_calm(student.observed)


@weight(0.9)
@number("37.H8")
@pytest.mark.parametrize("function", [name for name in CALLS if name != "from_state_dict"])
def test_widths_must_chain(student, rng, function):
    """Every function that takes layers refuses widths that do not chain"""
    X, y, layers = drawn(rng, 4, [3, 5, 2])
    (W1, b1), (W2, b2) = layers

    # The first of them numpy would stretch to fit.
    bad = [[(W1, b1), (W2, np.zeros(1))], [(W1, b1), (W2[:, 1:], b2)], [(W1, b1[1:]), (W2, b2)]]
    outcomes = student.together((CALLS[function](student, X, y, wrong) for wrong in bad), catch=True)
    assert_refused(outcomes, naming="layers")


@weight(0.9)
@number("37.H8")
def test_keys_must_fit(student, rng):
    """from_state_dict refuses a key that does not belong and a key that is missing, and names it"""
    _, _, layers = drawn(rng, 4, [3, 5, 4, 2])
    state = state_of(layers)

    bad = [(extra, state | {extra: tensor(np.ones(5))}) for extra in ("1.weight", "fc.weight", "2.scale", "3.bias")]
    bad += [
        (missing, {key: value for key, value in state.items() if key != missing})
        for missing in ("0.weight", "2.bias", "4.bias")
    ]
    gap = {key: value for key, value in state.items() if not key.startswith("2.")}
    bad.append(("2.weight", gap))
    outcomes = student.together((partial(student.from_state_dict, wrong) for _, wrong in bad), catch=True)
    for (key, _), outcome in zip(bad, outcomes, strict=True):
        assert_refused([outcome], naming=key)
    assert_refused(outcomes[-1:], naming="2.bias")
