"""Section 34's reference agrees with torch: attention, its gradients, several heads; and the lesson's numbers are right."""

import importlib.util
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sdpa = torch.nn.functional.scaled_dot_product_attention

SOLUTION = Path(__file__).parents[2] / "solutions" / "s34_attention" / "attention.py"
# (shape of the queries, shape of the keys, d_v)
SHAPES = [
    ((1, 1), (1, 1), 1),
    ((3, 4), (5, 4), 2),
    ((4, 4), (4, 4), 4),
    ((2, 1, 3), (2, 6, 3), 5),
    ((2, 3, 5, 4), (2, 3, 2, 4), 3),
]
Q = np.array([[2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]])
K = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0]])
V = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 4.0]])


@pytest.fixture(scope="module")
def ours():
    spec = importlib.util.spec_from_file_location("reference_s34", SOLUTION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(34)


def drawn(rng, of_queries, of_keys, d_v, dtype=np.float64):
    shapes = [of_queries, of_keys, (*of_keys[:-1], d_v)]
    return [rng.normal(0, 2, shape).astype(dtype) for shape in shapes]


def masks(rng, of_queries, of_keys):
    """No mask, and masks of every shape that broadcasts; every row has a key, as torch's gradients want it."""
    full = (*of_queries[:-1], of_keys[-2])
    yield None
    for ones in itertools.product([False, True], repeat=len(full) - 1):
        shape = [1 if one else size for one, size in zip(ones, full, strict=False)] + [full[-1]]
        mask = rng.random(shape) < 0.5
        mask[..., rng.integers(shape[-1])] = True
        yield mask


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("of_queries", "of_keys", "d_v"), SHAPES)
def test_attention_and_gradients_agree_with_torch(ours, rng, of_queries, of_keys, d_v, dtype):
    for mask in masks(rng, of_queries, of_keys):
        given = drawn(rng, of_queries, of_keys, d_v, dtype)
        upstream = rng.standard_normal((*of_queries[:-1], d_v)).astype(dtype)
        leaves = [torch.tensor(x, requires_grad=True) for x in given]
        told = None if mask is None else torch.tensor(mask)
        expected = sdpa(*leaves, attn_mask=told)
        expected.backward(torch.tensor(upstream))

        out, weights = ours.attention(*given, mask)
        found = ours.attention_backward(upstream, *given, mask)
        assert {out.dtype, weights.dtype, *(x.dtype for x in found)} == {np.dtype(dtype)}
        # Scores up to 20, sums of at most 6 terms, four products deep.
        tolerance = {"rtol": 500 * np.finfo(dtype).eps, "atol": 500 * np.finfo(dtype).eps}
        np.testing.assert_allclose(out, expected.detach().numpy(), **tolerance)
        np.testing.assert_allclose(weights @ given[2], out, **tolerance)
        for yours, leaf in zip(found, leaves, strict=True):
            np.testing.assert_allclose(yours, leaf.grad.numpy(), **tolerance)


def test_rows_without_keys_agree_with_torch(ours, rng):
    given, mask = drawn(rng, (2, 4, 3), (2, 5, 3), 2), rng.random((2, 4, 5)) < 0.5
    mask[:, 1] = False
    mask[:, 2, 0] = True

    with np.errstate(all="raise", under="ignore"):
        out, weights = ours.attention(*given, mask)
    expected = sdpa(*map(torch.tensor, given), attn_mask=torch.tensor(mask)).numpy()
    assert not out[:, 1].any()
    assert not weights[:, 1].any()
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)


def test_gradients_of_a_row_without_keys_are_those_of_the_other_rows(ours, rng):
    given, mask, upstream = drawn(rng, (4, 3), (5, 3), 2), rng.random((4, 5)) < 0.5, rng.standard_normal((4, 2))
    mask[:, 0], mask[1] = True, False
    rows = [0, 2, 3]

    dQ, dK, dV = ours.attention_backward(upstream, *given, mask)
    expected = ours.attention_backward(upstream[rows], given[0][rows], *given[1:], mask[rows])
    for found, wanted in zip((dQ[rows], dK, dV), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert not dQ[1].any()


@pytest.mark.parametrize("factor", [1e3, 1e150])
def test_scores_of_any_size(ours, rng, factor):
    given = drawn(rng, (4, 3), (5, 3), 2)

    with np.errstate(all="raise", under="ignore"):
        out, _ = ours.attention(factor * given[0], *given[1:])
        ours.attention_backward(out, factor * given[0], *given[1:])
    np.testing.assert_allclose(out, sdpa(torch.tensor(factor * given[0]), *map(torch.tensor, given[1:])), atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_square_causal_mask_is_torchs(ours, rng, length):
    given = drawn(rng, (length, 3), (length, 3), 2)
    expected = sdpa(*map(torch.tensor, given), is_causal=True).numpy()

    np.testing.assert_allclose(ours.attention(*given, ours.causal_mask(length))[0], expected, rtol=1e-12, atol=1e-13)


def test_last_rows_of_the_square_mask_are_the_mask_of_the_last_queries(ours):
    for L, S in itertools.combinations_with_replacement(range(1, 7), 2):
        np.testing.assert_array_equal(ours.causal_mask(L, S), ours.causal_mask(S)[S - L :], strict=True)


def test_torchs_own_alignment_is_the_other_one(ours, rng):
    """The lesson says so: with is_causal a single query sees the first key only"""
    given = drawn(rng, (1, 3), (4, 3), 2)
    theirs = sdpa(*(torch.tensor(x)[None] for x in given), is_causal=True)[0].numpy()

    np.testing.assert_allclose(theirs, given[2][:1])
    assert ours.causal_mask(1, 4).all()


@pytest.mark.parametrize(
    ("n", "length", "width", "heads"), [(1, 1, 2, 1), (2, 3, 4, 2), (3, 4, 6, 3), (4, 4, 4, 4), (2, 5, 12, 3)]
)
def test_heads_agree_with_torchs_module(ours, rng, n, length, width, heads):
    module = torch.nn.MultiheadAttention(width, heads, bias=False, batch_first=True, dtype=torch.float64)
    X, weights = rng.standard_normal((n, length, width)), rng.normal(0, 1, (4, width, width))
    module.load_state_dict(
        {"in_proj_weight": torch.tensor(np.concatenate(weights[:3])), "out_proj.weight": torch.tensor(weights[3])}
    )
    tokens = torch.tensor(X)
    square = rng.random((length, length)) < 0.5
    each = rng.random((n, length, length)) < 0.5
    padding = rng.random((n, 1, length)) < 0.5
    for mask in (square, each, padding):
        mask[..., 0] = True
    # There, True means: may not look.
    cases = [
        (None, {}),
        (square, {"attn_mask": torch.tensor(~square)}),
        (each, {"attn_mask": torch.tensor(~np.repeat(each, heads, axis=0))}),
        (padding, {"key_padding_mask": torch.tensor(~padding[:, 0])}),
    ]
    for mask, options in cases:
        expected, _ = module(tokens, tokens, tokens, need_weights=False, **options)
        found = ours.multi_head(X, *weights, heads, mask)
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-11, atol=1e-11)


def test_positions_turn_by_a_fixed_angle(ours):
    """Each pair of columns is a unit vector that turns by the same angle from position to position"""
    length, width = 200, 16
    codes = ours.sinusoidal_positions(length, width).reshape(length, -1, 2)
    turned = torch.polar(
        torch.ones(length, width // 2, dtype=torch.float64),
        torch.outer(torch.arange(length).double(), 10000.0 ** (-torch.arange(0, width, 2).double() / width)),
    ).numpy()

    np.testing.assert_allclose(codes[..., 1] + 1j * codes[..., 0], turned, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda m: m.attention(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3))), "K"),
        (lambda m: m.attention_backward(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3))), "K"),
        (lambda m: m.causal_mask(3, 2), "L"),
        (lambda m: m.multi_head(np.ones((1, 2, 4)), *np.ones((4, 4, 4)), 3), "heads"),
        (lambda m: m.sinusoidal_positions(3, 5), "D"),
    ],
)
def test_bad_input_is_refused(ours, call, named):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        call(ours)


# The lesson


def test_example_of_the_lesson(ours):
    out, weights = ours.attention(Q, K, V)
    dQ, dK, dV = ours.attention_backward(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), Q, K, V)

    np.testing.assert_array_equal(Q @ K.T, [[4, 0], [0, 2]])
    np.testing.assert_allclose(weights, [[0.8808, 0.1192], [0.2689, 0.7311]], atol=5e-5)
    np.testing.assert_allclose(out, [[0.8808, 0.1192, 2.2384], [0.2689, 0.7311, 3.4621]], atol=5e-5)
    np.testing.assert_allclose(dQ, [[0.0525, 0.0525, -0.0525, -0.1050], [0] * 4], atol=5e-5)
    np.testing.assert_allclose(dK, [[0.1050, 0.1050, 0, 0], [-0.1050, -0.1050, 0, 0]], atol=5e-5)
    np.testing.assert_allclose(dV, [[0.8808, 0, 0], [0.1192, 0, 0]], atol=5e-5)


def test_largest_weights_of_the_lesson(ours, rng):
    """With 1024 random features and 64 keys 0.11 on average, and 0.95 without the root"""
    q, k = rng.standard_normal((2000, 1024)), rng.standard_normal((64, 1024))
    scaled, raw = (ours.attention(f * q, k, k)[1].max(axis=1) for f in (1, math.sqrt(1024)))

    assert scaled.mean() == pytest.approx(0.107, abs=0.01)
    assert raw.mean() == pytest.approx(0.95, abs=0.02)
    assert scaled.std() == pytest.approx(0.05, abs=0.02)  # what the comment in the hidden suite rests on


def test_positions_of_the_lesson(ours):
    expected = [[0, 1, 0, 1], [0.8415, 0.5403, 0.0100, 1.0000], [0.9093, -0.4161, 0.0200, 0.9998]]
    np.testing.assert_allclose(ours.sinusoidal_positions(3, 4), expected, atol=5e-5)


def test_reshape_of_the_lesson():
    tokens = np.arange(1, 9).reshape(1, 2, 4)

    np.testing.assert_array_equal(tokens.reshape(1, 2, 2, 2).swapaxes(1, 2)[0, 0], [[1, 2], [5, 6]])
    np.testing.assert_array_equal(tokens.reshape(1, 2, 2, 2)[0, 0], [[1, 2], [3, 4]])


def test_layer_normalization_of_the_lesson():
    found = torch.nn.LayerNorm(4)(torch.tensor([1.0, 2.0, 3.0, 6.0])).detach().numpy()
    np.testing.assert_allclose(found, [-1.0690, -0.5345, 0, 1.6036], atol=6e-5)


def test_trap_of_the_lesson():
    narrow = np.ones(2, np.float32)

    assert (narrow / np.sqrt(4)).dtype == np.float64
    assert (narrow / math.sqrt(4)).dtype == np.float32
