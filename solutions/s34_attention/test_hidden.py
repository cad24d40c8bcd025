"""Section 34: attention and the Transformer. Hidden tests.

Where no other tolerance is given, values may be off by 1e-9 and a part of 1e-9: correct formulas differ by rounding
alone, below 1e-13 for sums of at most 9 terms of size 10, and every known mistake is off by 1e-3 or more.
"""

import math

import numpy as np
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_equal,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refuses,
    assert_shape,
    float32_atol,
)

CLOSE = {"rtol": 1e-9, "atol": 1e-9}
# (batch axes, L, S, d_k, d_v), small ones first. In the square ones no shape gives a wrong axis away.
SIZES = [
    ((), 1, 2, 3, 2),
    ((), 3, 3, 3, 3),
    ((), 4, 2, 3, 5),
    ((3,), 3, 3, 3, 3),
    ((2,), 3, 5, 4, 2),
    ((2, 3), 4, 2, 5, 3),
]


def some(rng, batch, L, S, d_k, d_v):
    """Return queries, keys and values. Entries of size 2 make scores large enough to tell weights apart."""
    shapes = [(*batch, L, d_k), (*batch, S, d_k), (*batch, S, d_v)]
    return [rng.normal(0, 2, shape) for shape in shapes]


def some_mask(rng, shape):
    """Return a mask that hides about half of the keys, but never all of a row nor, from two keys on, none at all."""
    mask = rng.random(shape) < 0.5
    mask[..., rng.integers(shape[-1])] = True
    if shape[-1] > 1:
        mask[..., 0, :] = np.arange(shape[-1]) == rng.integers(shape[-1])
    return mask


def plain(Q, K, V, mask=None):
    """Return the textbook's attention, good for small scores; a row without keys gives zeros."""
    e = np.exp(Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1]))
    if mask is not None:
        e = e * mask
    total = e.sum(axis=-1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0) @ V


# Attention


@weight(4)
@number("34.H1")
def test_without_a_mask(student, reference, rng):
    """Output and weights agree with the formula for 2 to 4 axes, one query or more, L and S, d_k and d_v different or equal"""
    for sizes in SIZES:
        given = some(rng, *sizes)

        found, expected = student.attention(*given), reference.attention(*given)
        assert_close(found[1], expected[1], **CLOSE, name="weights")
        assert_close(found[0], expected[0], **CLOSE, name="out")


@weight(3)
@number("34.H1")
def test_masks_of_any_shape(student, reference, rng):
    """A mask may have the shape of the weights or any that broadcasts to it: (L, S), (S,), (N, 1, S), (N, 1, L, S), ..."""
    for batch, shape in [
        ((), (4, 4)),
        ((), (3, 5)),
        ((), (1, 5)),
        ((2,), (2, 3, 5)),
        ((2,), (3, 5)),
        ((2,), (2, 1, 5)),
        ((2, 3), (2, 3, 4, 5)),
        ((2, 3), (2, 1, 4, 5)),
        ((2, 3), (2, 1, 1, 5)),
    ]:
        L = shape[-2] if shape[-2] > 1 else 4
        given, mask = some(rng, batch, L, shape[-1], 2, 3), some_mask(rng, shape)

        for told in (mask, mask[0] if shape == (1, 5) else mask):
            found, expected = student.attention(*given, told), reference.attention(*given, told)
            assert_close(found[1], expected[1], **CLOSE, name=f"weights under a mask of shape {told.shape}")
            assert_close(found[0], expected[0], **CLOSE, name=f"out under a mask of shape {told.shape}")


@weight(2)
@number("34.H2")
def test_hidden_keys_weigh_nothing(student, rng):
    """A key that a query may not look at has weight exactly 0 there, and the other weights sum to 1"""
    for batch, L, S in [((), 3, 3), ((2,), 3, 4)]:
        mask = some_mask(rng, (*batch, L, S))
        _, weights = student.attention(*some(rng, batch, L, S, 3, 2), mask)

        assert_close(weights.sum(axis=-1), np.ones((*batch, L)), rtol=1e-12, name="sums of the weights")
        assert_equal(weights[~mask], np.zeros((~mask).sum()), name="weights of the hidden keys")


@weight(2)
@number("34.H2")
def test_hidden_keys_have_no_influence(student, reference, rng):
    """Other keys and values in a place that no query may look at change nothing, also where their scores are huge"""
    Q, K, V = some(rng, (2,), 3, 4, 3, 2)
    mask = np.array([True, False, True, True])
    expected = reference.attention(Q, K, V, mask)

    for size in (1.0, 1e6):
        K, V = K.copy(), V.copy()
        # The hidden key points where the first query does, so that its score there is positive, and huge.
        K[:, 1], V[:, 1] = size * Q[:, 0], size * rng.standard_normal((2, 2))
        found = student.attention(Q, K, V, mask)
        assert_close(found, expected, **CLOSE, name="(out, weights)")
        assert_calm(student.observed)


@weight(2)
@number("34.H2")
def test_a_query_without_keys(student, reference, rng):
    """A query that may look at no key gets zeros, without a warning, and its neighbours what they always get"""
    for batch, L, S in [((), 2, 2), ((), 4, 3), ((2,), 3, 4)]:
        given, mask = some(rng, batch, L, S, 3, 2), some_mask(rng, (*batch, L, S))
        mask[..., 1, :] = False

        out, weights = student.attention(*given, mask)
        assert_calm(student.observed)
        expected = reference.attention(*given, mask)
        assert_close(weights, expected[1], **CLOSE, name="weights")
        assert_close(out, expected[0], **CLOSE, name="out")
        assert_equal(out[..., 1, :], np.zeros((*batch, 2)), name="the output of the query without keys")


@weight(2)
@number("34.H3")
def test_huge_scores(student, reference, rng):
    """Scores in the thousands overflow nowhere, and a row of small scores beside them keeps its weights"""
    for factors in ([1.0, 1.0, 1.0], [1e3, 1.0, 1e-3], [1e3, 1e3, 1e3]):
        Q, K, V = some(rng, (), 3, 4, 3, 2)
        Q = Q * np.array(factors)[:, None]

        found = student.attention(Q, K, V)
        assert_calm(student.observed)
        # Scores of 1e4 are rounded to 2e-12, so their exponentials move by as much.
        assert_close(found, reference.attention(Q, K, V), **CLOSE, name="(out, weights)")


@weight(1)
@number("34.H3")
def test_order_of_the_keys(student, rng):
    """Keys and values in another order, both in the same one, give the same output"""
    for batch, L, S in [((), 2, 3), ((2,), 3, 5)]:
        Q, K, V = some(rng, batch, L, S, 3, 2)
        order = rng.permutation(S)
        out, weights = student.attention(Q, K, V)

        expected = plain(Q, K, V)
        assert_close(out, expected, **CLOSE, name="out")
        found = student.attention(Q, K[..., order, :], V[..., order, :])
        assert_close(found[1], weights[..., order], **CLOSE, name="weights")
        assert_close(found[0], expected, **CLOSE, name="out")


@weight(1)
@number("34.H3")
def test_order_of_the_queries(student, rng):
    """Queries in another order give the outputs in that order: no query knows of the others"""
    for batch, L, S in [((), 3, 3), ((2,), 4, 3)]:
        Q, K, V = some(rng, batch, L, S, 3, 2)
        order = rng.permutation(L)

        out, _ = student.attention(Q[..., order, :], K, V)
        assert_close(out, plain(Q, K, V)[..., order, :], **CLOSE, name="out")


@weight(1)
@number("34.H7")
def test_weights_stay_soft(student, rng):
    """With 64 keys of 1024 random features the largest weight of a query is below 0.2 on average"""
    # Measured: 0.107, with a spread of 0.05 from query to query, so 0.013 for the mean of 16. Without the root it is 0.95,
    # and divided by 1024 it is 0.017.
    Q, K, V = rng.standard_normal((16, 1024)), rng.standard_normal((64, 1024)), rng.standard_normal((64, 1))
    _, weights = student.attention(Q, K, V)

    assert_shape(weights, (16, 64), name="weights")
    largest = float(weights.max(axis=-1).mean())
    assert 0.05 < largest < 0.2, "the largest weights are not those of scores of size 1"


# Its gradients


def assert_gradients(found, upstream, Q, K, V, mask=None):
    """The three gradients are what differences of the textbook's formula find."""
    dQ, dK, dV = found
    assert_gradient(dV, lambda at: plain(Q, K, at, mask), V, upstream, name="dV")
    assert_gradient(dQ, lambda at: plain(at, K, V, mask), Q, upstream, name="dQ")
    assert_gradient(dK, lambda at: plain(Q, at, V, mask), K, upstream, name="dK")


@weight(4)
@number("34.H4")
def test_gradients_against_differences(student, rng):
    """dQ, dK and dV are what finite differences find, for a random upstream gradient and 2 to 4 axes"""
    for sizes in [SIZES[1], SIZES[4], ((2, 1), 2, 3, 2, 1)]:
        Q, K, V = (x / 2 for x in some(rng, *sizes))
        upstream = rng.standard_normal((*Q.shape[:-1], V.shape[-1]))

        assert_gradients(student.attention_backward(upstream, Q, K, V), upstream, Q, K, V)


@weight(3)
@number("34.H13")
def test_gradients_under_a_mask(student, rng):
    """Under a mask, also one that broadcasts, the gradients are what finite differences find"""
    for sizes, shape in [(SIZES[1], (3, 3)), (SIZES[4], (1, 5)), (SIZES[4], (2, 1, 5))]:
        Q, K, V = (x / 2 for x in some(rng, *sizes))
        upstream, mask = rng.standard_normal((*Q.shape[:-1], V.shape[-1])), some_mask(rng, shape)

        assert_gradients(student.attention_backward(upstream, Q, K, V, mask), upstream, Q, K, V, mask)


@weight(1)
@number("34.H13")
def test_gradients_of_what_sees_nothing(student, rng):
    """A query without keys and a key without queries get gradient 0, without a warning, and the others the right one"""
    Q, K, V = (x / 2 for x in some(rng, (), 3, 3, 2, 4))
    mask = np.array([[True, False, True], [False, False, False], [True, False, True]])
    upstream = rng.standard_normal((3, 4))

    student.attention(Q, K, V, mask)  # not judged here: it tells the diagnosis where a NaN comes from
    found = student.attention_backward(upstream, Q, K, V, mask)
    assert_calm(student.observed)
    assert_close([found[0][1], found[1][1], found[2][1]], [np.zeros(2), np.zeros(2), np.zeros(4)], name="the gradients")
    assert_gradients(found, upstream, Q, K, V, mask)


@weight(1)
@number("34.H3")
def test_gradients_of_huge_scores(student, reference, rng):
    """Scores in the thousands overflow nowhere on the way back"""
    Q, K, V = some(rng, (), 3, 4, 3, 2)
    upstream = rng.standard_normal((3, 2))

    student.attention(1e3 * Q, K, V)  # not judged here: it tells the diagnosis where an overflow comes from
    found = student.attention_backward(upstream, 1e3 * Q, K, V)
    assert_calm(student.observed)
    # dK is of size 1e3, and the weights in it are right to 2e-12.
    expected = reference.attention_backward(upstream, 1e3 * Q, K, V)
    assert_close(found, expected, rtol=1e-9, atol=1e-7, name="the gradients")


# The mask of a model that writes


@weight(2)
@number("34.H5")
def test_causal_masks(student):
    """causal_mask(2, 4) is [[T, T, T, F], [T, T, T, T]]: the last query sees all keys, each one before it one key less"""
    for L, S in [(2, 4), (3, 3), (1, 5), (4, 5), (1, 1)]:
        expected = np.array([[key <= query + S - L for key in range(S)] for query in range(L)])

        assert_equal(student.causal_mask(L, S), expected, name=f"causal_mask({L}, {S})")


@weight(1)
@number("34.H5")
def test_as_many_keys_as_queries(student, rng):
    """Without S there are as many keys as queries"""
    for L in (2, 1, int(rng.integers(3, 9))):
        expected = np.array([[key <= query for key in range(L)] for query in range(L)])

        assert_equal(student.causal_mask(L), expected, name=f"causal_mask({L})")


@weight(1)
@number("34.H5")
def test_last_queries_by_themselves(student, rng):
    """The last two of five tokens, computed alone under causal_mask(2, 5), get what they get among all five"""
    Q, K, V = some(rng, (2,), 5, 5, 3, 2)
    among_all = plain(Q, K, V, np.tri(5, dtype=bool))

    out, _ = student.attention(Q[:, 3:], K, V, student.causal_mask(2, 5))
    assert_close(out, among_all[:, 3:], **CLOSE, name="out")


# Several heads


def some_weights(rng, D):
    """Return Wq, Wk, Wv and Wo, none symmetric, that keep the size of what they multiply."""
    return list(rng.normal(0, 1.5 / math.sqrt(D), (4, D, D)))


@weight(4)
@number("34.H6")
def test_heads(student, reference, rng):
    """One head, several and as many as features agree with the formula, for several sequences and for one"""
    for n, L, D, heads in [
        (1, 3, 4, 2),
        (2, 3, 6, 3),
        (3, 4, 6, 2),
        (2, 2, 2, 2),
        (2, 5, 4, 1),
        (4, 4, 4, 4),
        (1, 1, 8, 2),
    ]:
        X, weights = rng.standard_normal((n, L, D)), some_weights(rng, D)

        expected = reference.multi_head(X, *weights, heads)
        assert_close(student.multi_head(X, *weights, heads), expected, **CLOSE, name=f"multi_head, {heads} heads")


@weight(2)
@number("34.H13")
def test_heads_under_a_mask(student, reference, rng):
    """All heads obey the mask: one for all sequences (L, L), one for each (N, L, L), or one row for each (N, 1, L)"""
    for n, L, heads, shape in [(2, 3, 2, (3, 3)), (2, 3, 2, (2, 3, 3)), (3, 4, 2, (3, 4, 4)), (2, 4, 2, (2, 1, 4))]:
        X, weights, mask = rng.standard_normal((n, L, 4)), some_weights(rng, 4), some_mask(rng, shape)

        expected = reference.multi_head(X, *weights, heads, mask)
        found = student.multi_head(X, *weights, heads, mask)
        assert_close(found, expected, **CLOSE, name=f"multi_head under a mask of shape {mask.shape}")


@weight(1)
@number("34.H11")
def test_order_needs_positions(student, reference, rng):
    """Tokens in another order give the same outputs in that order, until positions are added to them"""
    L, D = 5, 4
    X, weights, order = rng.standard_normal((2, L, D)), some_weights(rng, D), np.roll(np.arange(L), 2)
    expected = reference.multi_head(X, *weights, 2)

    found = student.multi_head(X[:, order], *weights, 2)
    assert_close(found, expected[:, order], **CLOSE, name="multi_head of tokens in another order")

    positions = student.sinusoidal_positions(L, D)
    assert_shape(positions, (L, D), name="positions")
    first = student.multi_head(X + positions, *weights, 2)
    second = student.multi_head(X[:, order] + positions, *weights, 2)
    assert np.abs(first[:, order] - second).max() > 1e-3, "with positions added the order makes no difference"


# Positions


@weight(2)
@number("34.H11")
def test_positions(student):
    """Column 2i holds the sine of p / 10000^(2i / D) and column 2i + 1 its cosine, for p from 0 on"""
    for L, D in [(4, 6), (3, 2), (6, 6), (1, 4), (50, 8)]:
        expected = np.empty((L, D))
        for p in range(L):
            for i in range(D // 2):
                angle = p / 10000 ** (2 * i / D)
                expected[p, 2 * i : 2 * i + 2] = math.sin(angle), math.cos(angle)

        # An angle of at most 50 is rounded to 7e-15.
        found = student.sinusoidal_positions(L, D)
        assert_close(found, expected, rtol=0.0, atol=1e-12, name=f"sinusoidal_positions({L}, {D})")


@weight(1)
@number("34.H11")
def test_distance_alone_counts(student, rng):
    """The product of the codes of two positions depends on their distance alone"""
    D, distance = 2 * int(rng.integers(2, 6)), int(rng.integers(1, 5))
    P = student.sinusoidal_positions(20, D)

    products = (P[:-distance] * P[distance:]).sum(axis=1)
    expected = sum(math.cos(distance / 10000 ** (2 * i / D)) for i in range(D // 2))
    assert_close(products, np.full(20 - distance, expected), **CLOSE, name="the products of codes")


# Time, arguments, dtypes, bad input


@weight(2)
@number("34.H8")
def test_attention_is_fast(speed, rng):
    """4 sequences, 8 heads and 48 tokens of 16 features take at most 10 times the time of the reference"""
    # Measured: einsum 1.4 to 4, a loop over sequences and heads 1.3 to 2.3, a loop over the queries 19 to 29. Larger arrays
    # would measure how a machine hands out memory, and tell the loops from the others no better.
    given = [rng.standard_normal((4, 8, 48, 16), np.float32) for _ in "QKV"]
    speed.at_most(10, lambda module, *arrays: module.attention(*arrays), lambda: given)


@weight(1)
@number("34.H9")
def test_inputs_stay_as_they_were(student, rng):
    """No function changes its arguments or returns memory of theirs"""
    Q, K, V = some(rng, (2,), 3, 3, 4, 4)
    mask, weights = some_mask(rng, (3, 3)), some_weights(rng, 4)
    calls = [
        (student.attention, Q, K, V),
        (student.attention, Q, K, V, mask),
        (student.attention, Q[:, :1], K[:, :1], V[:, :1]),  # here the output equals the value
        (student.attention_backward, V, Q, K, V),
        (student.attention_backward, V, Q, K, V, mask),
        (student.multi_head, Q, *weights, 2),
        (student.multi_head, Q, *weights, 2, mask),
        (student.multi_head, Q[:1, :1], *(np.eye(4) for _ in "qkvo"), 1),
    ]
    for function, *arguments in calls:
        function(*arguments)
        assert_leaves_inputs_alone(student.observed)


@weight(2)
@number("34.H10")
def test_float32_stays_float32(student, reference, rng):
    """attention, attention_backward and multi_head of float32 give float32, with and without a mask"""
    Q, K, V = some(rng, (2,), 3, 3, 4, 4)
    weights, mask = some_weights(rng, 4), some_mask(rng, (3, 3))
    calls = [("attention", Q, K, V), ("attention_backward", V, Q, K, V), ("multi_head", V, *weights, 2)]
    for name, *arguments in [*calls, *((*call, mask) for call in calls)]:
        narrow = [x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x for x in arguments]
        wide = [x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype == np.float32 else x for x in narrow]
        found, expected = getattr(student, name)(*narrow), getattr(reference, name)(*wide)
        found, expected = ([each] if isinstance(each, np.ndarray) else each for each in (found, expected))
        for place, (yours, right) in enumerate(zip(found, expected, strict=True)):
            what = f"{name} of float32, array {place} of its result"
            assert_dtype(yours, np.float32, name=what)
            # Sums of 4 terms of size 16, made into scores, weights and sums again.
            assert_close(yours, right, atol=float32_atol(4, scale=16.0), name=what)


@weight(1)
@number("34.H10")
def test_float64_and_integers(student, reference, rng):
    """float64 gives float64, and so do integers, without a cut at the decimal point"""
    for kind in (np.float64, np.int64):
        given = [x.astype(kind) for x in some(rng, (), 3, 4, 2, 3)]
        out, weights = student.attention(*given)
        expected = reference.attention(*(x.astype(np.float64) for x in given))
        for name, yours, right in (("weights", weights, expected[1]), ("out", out, expected[0])):
            assert_dtype(yours, np.float64, name=f"{name} of {np.dtype(kind).name}")
            assert_close(yours, right, **CLOSE, name=f"{name} of {np.dtype(kind).name}")
    assert_dtype(student.sinusoidal_positions(3, 4), np.float64, name="sinusoidal_positions(3, 4)")


@weight(1)
@number("34.H12")
def test_bad_attention(student, rng):
    """attention and attention_backward refuse keys with another d_k than the queries"""
    for d_k in (2, 4, 1):
        Q, K, V = rng.standard_normal((2, 3)), rng.standard_normal((5, d_k)), rng.standard_normal((5, 4))
        assert_refuses(student.attention, Q, K, V, naming="K")
        assert_refuses(student.attention_backward, rng.standard_normal((2, 4)), Q, K, V, naming="K")


@weight(0.5)
@number("34.H12")
def test_bad_heads(student, rng):
    """multi_head refuses a number of heads that does not divide the features"""
    X, weights = rng.standard_normal((2, 3, 6)), some_weights(rng, 6)
    for heads in (4, 5, 7, 12):
        assert_refuses(student.multi_head, X, *weights, heads, naming="heads")


@weight(0.5)
@number("34.H12")
def test_bad_sizes(student):
    """causal_mask refuses more queries than keys, and sinusoidal_positions an odd number of columns"""
    for L, S in ((4, 3), (2, 1), (9, 2)):
        assert_refuses(student.causal_mask, L, S, naming="L")
    for D in (1, 3, 7):
        assert_refuses(student.sinusoidal_positions, 4, D, naming="D")
