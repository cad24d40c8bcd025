"""Section 34k: attention without the n x n matrix. Hidden tests."""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from nnkit.grader.compare import (
    assert_calm,
    assert_close,
    assert_dtype,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refuses,
)

# The slowest honest solution of a rung has 15 % to spare, the fastest of the rung below fails: docs/kernels.md.
TIMES = {"silver": (3.0, 1.0), "pass": (14.0, 0.4)}
# How far float64 inputs rounded to these dtypes let the result differ from the float64 formula on the same inputs:
# float32 and float64 lose 16 eps of sums of some hundred terms of size 4, float16 is rounded once at the end.
ATOL = {np.float16: 4e-3, np.float32: 2e-5, np.float64: 1e-10}
KINDS = pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16], ids=["float64", "float32", "float16"])


def plain(q, k, v, causal=False):
    """The formula with all scores at once, in float64."""
    q, k, v = (array.astype(np.float64) for array in (q, k, v))
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], scores.shape[-1] - scores.shape[-2]), scores, -np.inf)
    largest = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - largest)
    sums = weights.sum(axis=-1, keepdims=True)
    return weights / sums @ v, (largest + np.log(sums))[..., 0]


def draw(rng, heads, lengths, widths, kind=np.float64, spread=1.0):
    """Queries, keys and values of one dtype; `spread` scales the scores."""
    (queries, keys), (width, values) = lengths, widths
    q = spread * rng.standard_normal((*heads, queries, width))
    k, v = rng.standard_normal((*heads, keys, width)), rng.standard_normal((*heads, keys, values))
    return q.astype(kind), k.astype(kind), v.astype(kind)


def sizes(rng, count):
    """Random sizes: heads, lengths, widths, block; with lengths that blocks divide and do not, and blocks that are longer."""
    for case in range(count):
        keys = int(rng.integers(2, 40))
        queries = int(rng.integers(1, keys + 1)) if case % 2 else keys
        widths = int(rng.integers(1, 9)), int(rng.integers(1, 9))
        yield (1, 2) if case % 3 else (2, 1), (queries, keys), widths, int(rng.choice([1, 3, 7, 16, 64]))


@weight(5)
@number("34k.H1")
@KINDS
def test_forward_on_random_sizes(student, rng, kind):
    """out is that of the whole formula, on random sizes and blocks"""
    for heads, lengths, widths, block in sizes(rng, 12):
        q, k, v = draw(rng, heads, lengths, widths, kind)
        out, _ = student.flash_attention(q, k, v, False, block)
        assert_dtype(out, kind)
        assert_close(np.asarray(out).astype(np.float64), plain(q, k, v)[0], rtol=0, atol=ATOL[kind])


@weight(2)
@number("34k.H1")
def test_more_queries_than_keys(student, rng):
    """Without causal there may be more queries than keys, and single ones of both"""
    for lengths in ((9, 4), (5, 1), (1, 5), (1, 1)):
        q, k, v = draw(rng, (1, 2), lengths, (3, 5))
        assert_close(student.flash_attention(q, k, v, False, 4)[0], plain(q, k, v)[0], rtol=0, atol=1e-10)


@weight(3)
@number("34k.H1")
@KINDS
def test_causal_on_random_sizes(student, rng, kind):
    """With causal each query sees the keys up to its own place, counted from the end"""
    for heads, lengths, widths, block in sizes(rng, 10):
        q, k, v = draw(rng, heads, lengths, widths, kind)
        out, _ = student.flash_attention(q, k, v, True, block)
        assert_close(np.asarray(out).astype(np.float64), plain(q, k, v, causal=True)[0], rtol=0, atol=ATOL[kind])


@weight(2)
@number("34k.H1")
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_logsumexp(student, rng, causal):
    """logsumexp is that of the scaled scores"""
    for heads, lengths, widths, block in sizes(rng, 6):
        q, k, v = draw(rng, heads, lengths, widths)
        _, logsumexp = student.flash_attention(q, k, v, causal, block)
        assert_close(logsumexp, plain(q, k, v, causal)[1], rtol=1e-10, atol=1e-10)


@weight(1)
@number("34k.H1")
def test_long_sums_in_float16(student, rng):
    """A sum over 600 keys of float16 is as exact as its last rounding"""
    q, k, v = draw(rng, (1, 1), (5, 600), (8, 3), np.float16, spread=0.1)
    v = v + np.float16(4)
    out, _ = student.flash_attention(q, k, v, False, 16)

    # About 4, so half a unit in the last place is 2^-9 = 0.002; sums in float16 lose ten times as much.
    assert_close(np.asarray(out).astype(np.float64), plain(q, k, v)[0], rtol=0, atol=2.2e-3)


@weight(4)
@number("34k.H2")
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_gradients_by_differences(student, rng, causal):
    """dv, dq and dk agree with differences"""
    q, k, v = draw(rng, (1, 1), (4, 7), (3, 2))
    upstream = rng.standard_normal((1, 1, 4, 2))
    dq, dk, dv = student.flash_attention_backward(upstream, q, k, v, *plain(q, k, v, causal), causal, 3)

    assert_gradient(dv, lambda v: plain(q, k, v, causal)[0], v, upstream, name="dv")
    assert_gradient(dq, lambda q: plain(q, k, v, causal)[0], q, upstream, name="dq")
    assert_gradient(dk, lambda k: plain(q, k, v, causal)[0], k, upstream, name="dk")


@weight(4)
@number("34k.H2")
@KINDS
def test_gradients_on_random_sizes(student, reference, rng, kind):
    """dq, dk and dv are exact to rounding, on random sizes and blocks, causal or not"""
    for case, (heads, lengths, widths, block) in enumerate(sizes(rng, 8)):
        q, k, v = draw(rng, heads, lengths, widths, kind)
        out, logsumexp = plain(q, k, v, causal=bool(case % 2))
        upstream = rng.standard_normal(out.shape).astype(kind)
        wide = [array.astype(np.float64) for array in (upstream, q, k, v)]
        right = reference.flash_attention_backward(*wide, out, logsumexp, bool(case % 2))
        inner = np.float32 if kind is np.float16 else kind
        yours = student.flash_attention_backward(
            upstream, q, k, v, out.astype(kind), logsumexp.astype(inner), bool(case % 2), block
        )
        for mine, theirs, name in zip(yours, right, ("dq", "dk", "dv"), strict=True):
            assert_dtype(mine, kind, name=name)
            # `out` comes rounded to the dtype: its error goes through the row sum of upstream * out, which is below 10.
            atol = 4 * ATOL[kind] * (1 + np.abs(theirs).max())
            assert_close(np.asarray(mine).astype(np.float64), theirs, rtol=0, atol=atol, name=name)


@weight(2)
@number("34k.H3")
def test_large_scores(student, rng):
    """Scores up to ten thousand stay finite, and raise no warning"""
    q, k, v = draw(rng, (1, 2), (5, 23), (4, 3), spread=3e3)
    out, logsumexp = student.flash_attention(q, k, v, False, 4)
    assert_calm(student.observed)
    right, right_sums = plain(q, k, v)
    assert_close(out, right, rtol=0, atol=1e-8)
    assert_close(logsumexp, right_sums, rtol=1e-10, name="logsumexp")


@weight(1)
@number("34k.H3")
def test_other_sizes_in_one_process(student, rng):
    """Nothing is kept from call to call: other sizes and blocks, and the same sizes with other numbers, come out right"""
    for lengths, block in (((6, 9), 4), ((3, 12), 2), ((6, 9), 5)):
        q, k, v = draw(rng, (2, 1), lengths, (4, 5))
        for sign in (1.0, -1.0):
            out = student.flash_attention(sign * q, k, v, False, block)[0]
            assert_close(out, plain(sign * q, k, v)[0], rtol=0, atol=1e-10)


def timed(heads, length, *, backward=False, causal=False):
    """Inputs of a timed call: float32, new ones for every call."""

    def draw_all(rng):
        q, k, v = (rng.standard_normal((1, heads, length, 64), np.float32) for _ in range(3))
        if not backward:
            return q, k, v, causal
        upstream, out = (rng.standard_normal((1, heads, length, 64), np.float32) for _ in range(2))
        # Of a row of normal scores; the gradients of these numbers are defined whether they fit together or not.
        return upstream, q, k, v, out / 16, np.full((1, heads, length), 0.5 + np.log(length), np.float32)

    return draw_all


def forward(module, q, k, v, causal):
    """What is timed."""
    return module.flash_attention(q, k, v, causal)


def backward(module, upstream, q, k, v, out, logsumexp):
    """What is timed."""
    return module.flash_attention_backward(upstream, q, k, v, out, logsumexp)


def case(kernel, heads, length, *, back=False, causal=False):
    """One size. Bounds: sums of `length` weights that sum to one, in float32, of numbers below 6; both kernels err."""
    operations = 4 * heads * length * length * 64 * (0.5 if causal else 1) * (2.5 if back else 1)
    what = f"{'backward' if back else 'causal' if causal else 'forward'}, {heads} heads of {length} x 64"
    return kernel.case(what, timed(heads, length, backward=back, causal=causal), operations, 1e-3 if back else 1e-4)


@weight(4)
@number("34k.H4")
def test_memory_forward(student, kernel):
    """The extra memory of flash_attention stays below 40 MiB at length 4096, and grows at most sixfold from 1024"""
    draws = {length: timed(1, length) for length in (128, 1024, 4096)}
    kernel.insist_on_memory(forward, draws, most=40, growth_at_most=6, work=2, name="flash_attention")


@weight(3)
@number("34k.H4")
def test_memory_backward(student, kernel):
    """The extra memory of flash_attention_backward stays below 40 MiB at length 4096, and grows at most sixfold from 1024"""
    draws = {length: timed(1, length, backward=True) for length in (128, 1024, 4096)}
    kernel.insist_on_memory(backward, draws, most=40, growth_at_most=6, work=2, name="flash_attention_backward")


@weight(2)
@number("34k.H5")
def test_memory_of_a_long_sequence(student, kernel):
    """8192 queries and keys fit into 64 MiB of extra memory, where one matrix of scores alone takes 256"""
    draws = {length: timed(1, length, causal=True) for length in (128, 8192)}
    kernel.insist_on_memory(forward, draws, most=64, work=2, name="flash_attention, one head, causal")


@weight(8)
@number("34k.H6")
def test_speed_forward(student, kernel, set_score):
    """How fast flash_attention is, against the reference"""
    cases = [case(kernel, 24, 256), case(kernel, 3, 1024, causal=True)]
    kernel.climb(forward, cases, case(kernel, 2, 128), TIMES, lambda share: set_score(8 * share))


@weight(5)
@number("34k.H6")
def test_speed_backward(student, kernel, set_score):
    """How fast flash_attention_backward is, against the reference"""
    cases = [case(kernel, 2, 768, back=True)]
    kernel.climb(backward, cases, case(kernel, 2, 128, back=True), TIMES, lambda share: set_score(5 * share))


@weight(2)
@number("34k.H7")
def test_bad_input(student, rng):
    """What does not fit is refused, and the text names the argument"""
    q, k, v = draw(rng, (1, 2), (4, 6), (3, 5))
    refused = [
        ((q[0], k, v), {}, "q"),
        ((q, k[0], v), {}, "k"),
        ((q, k, v[0]), {}, "v"),
        ((q, k[..., :2], v), {}, "k"),
        ((q, k[:, :1], v), {}, "k"),
        ((q, k, v[:, :, :5]), {}, "v"),
        ((k, q, v[:, :, :4]), {"causal": True}, "causal"),
        ((q, k, v), {"block": 0}, "block"),
    ]
    for arguments, options, name in refused:
        assert_refuses(student.flash_attention, *arguments, naming=name, **options)
    out, logsumexp = plain(q, k, v)
    for arrays, name in (
        ((out[..., :4], out, logsumexp), "upstream"),
        ((out, out[:, :, :3], logsumexp), "out"),
        ((out, out, logsumexp[..., :3]), "logsumexp"),
    ):
        upstream, result, sums = arrays
        assert_refuses(student.flash_attention_backward, upstream, q, k, v, result, sums, naming=name)


@weight(1)
@number("34k.H7")
def test_arguments_are_left_alone(student, rng):
    """No argument is changed, and no result is a view of one"""
    q, k, v = draw(rng, (1, 1), (1, 1), (2, 2))
    student.flash_attention(q, k, v)
    assert_leaves_inputs_alone(student.observed)
    student.flash_attention_backward(v + 1, q, k, v, *plain(q, k, v))
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("34k.H7")
def test_dtypes(student, rng):
    """Whole numbers become float64; for float16 the logsumexp is float32"""
    numbers = [rng.integers(-2, 3, (1, 1, 3, 2)) for _ in range(3)]
    out, logsumexp = student.flash_attention(*numbers)
    assert_dtype(out, np.float64)
    assert_dtype(logsumexp, np.float64, name="logsumexp")
    assert_close(out, plain(*numbers)[0], rtol=0, atol=1e-10)
    _, logsumexp = student.flash_attention(*(array.astype(np.float16) for array in numbers))
    assert_dtype(logsumexp, np.float32, name="logsumexp")


@weight(0)
@number("34k.board")
def test_leaderboard(student, kernel):
    """Your place on the course's board, if LEADERBOARD is True in your file; gives no points"""
    one = np.ones((1, 1, 1, 1), np.float32)
    assert_close(student.flash_attention(one, one, 2 * one)[0], 2 * one)
    kernel.enter(
        student.LEADERBOARD is True,
        "34k flash_attention",
        forward,
        [case(kernel, 24, 256)],
        case(kernel, 2, 128),
        TIMES,
    )


@weight(6)
@number("34k.H8")
@tags("gpu")
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_values_on_a_gpu(gpu, kind):
    """flash_attention_gpu: forward and backward are exact to rounding on a GPU, causal or not, widths and lengths of all kinds"""
    gpu.right(kind, back=False)
    gpu.right(kind, back=True)


@weight(8)
@number("34k.H9")
@tags("gpu")
def test_speed_forward_on_a_gpu(gpu, set_score):
    """How fast flash_attention is on a GPU, against torch's own"""
    gpu.climb_track(back=False, give=lambda share: set_score(8 * share))


@weight(4)
@number("34k.H9")
@tags("gpu")
def test_speed_backward_on_a_gpu(gpu, set_score):
    """How fast flash_attention_backward, with the forward pass before it, is on a GPU, against torch's own"""
    gpu.climb_track(back=True, give=lambda share: set_score(4 * share))


@weight(0)
@number("34k.board")
@tags("gpu")
def test_leaderboard_on_a_gpu(student, gpu):
    """Your place on the course's board for GPUs, if LEADERBOARD is True in your file; gives no points"""
    gpu.enter_track(student.LEADERBOARD is True, "34k flash_attention on a GPU")
