"""Section 29k: convolution, fast. Hidden tests."""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from nnkit.grader.compare import (
    assert_close,
    assert_dtype,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refuses,
)

# The slowest honest solution of a rung has 15 % to spare, the fastest of the rung below fails: docs/kernels.md.
FORWARD = {"gold": (1.6, 1.0), "silver": (4.0, 0.6), "pass": (36.0, 0.3)}
BACKWARD = {"gold": (1.8, 1.0), "silver": (5.0, 0.6), "pass": (44.0, 0.3)}
EPS = {np.float16: 2.0**-11, np.float32: 2.0**-24, np.float64: 2.0**-53}


def settings(rng, *, groups=False):
    """A random size: N, C, H, W, O, kh, kw, stride, padding, dilation, groups; kernels fit."""
    parts = int(rng.integers(2, 4)) if groups else 1
    n, c, o = int(rng.integers(1, 4)), parts * int(rng.integers(1, 4)), parts * int(rng.integers(1, 4))
    kh, kw, stride, padding, dilation = (
        int(rng.integers(low, high)) for low, high in ((1, 4), (1, 4), (1, 4), (0, 3), (1, 3))
    )
    h, w = (dilation * (k - 1) + 1 + int(rng.integers(0, 7)) for k in (kh, kw))
    return (n, c, h, w), (o, c // parts, kh, kw), (stride, padding, dilation, parts)


def draw(rng, images, filters, kind=np.float64):
    """Images and filters of one dtype, so that numbers of the output are about 1."""
    x, b = rng.standard_normal(images), rng.standard_normal(filters[0])
    w = rng.standard_normal(filters) / np.sqrt(np.prod(filters[1:]))
    return x.astype(kind), w.astype(kind), b.astype(kind)


def taken(x):
    """The numbers of a rounded array, in float64."""
    return x.astype(np.float64)


@weight(5)
@number("29k.H1")
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16], ids=["float32", "float64", "float16"])
def test_forward_on_random_sizes(student, reference, rng, kind):
    """conv2d_fast is exact to rounding, on random sizes, strides and paddings"""
    for case in range(14):
        images, filters, (stride, padding, _, _) = settings(rng)
        if case % 4 == 3:  # long sums: what is lost in them shows
            images, filters, stride, padding = (2, 40, 5, 6), (3, 40, 3, 2), 1, 1
        images = (*images[:2], images[2] + 4, images[3] + 5)
        x, w, b = draw(rng, images, filters, kind)
        right = reference.conv2d_fast(taken(x), taken(w), taken(b), stride, padding)
        yours = student.conv2d_fast(x, w, b, stride, padding)
        # K products: 16 eps sqrt(K) of the scale, which is five times what was measured; float16 is summed in float32
        # and rounded once, by half a unit in the last place.
        length, scale = np.prod(filters[1:]), 4 + np.abs(right).max()
        inner = np.float32 if kind is np.float16 else kind
        rounding = 2.05 * EPS[kind] * np.abs(right).max() if kind is np.float16 else 0.0
        assert_dtype(yours, kind)
        assert_close(taken(np.asarray(yours)), right, rtol=0, atol=16 * EPS[inner] * np.sqrt(length) * scale + rounding)


@weight(1)
@number("29k.H1")
def test_orientation(student, rng):
    """A filter with a single 1 moves the image and turns nothing round"""
    x = rng.standard_normal((1, 1, 4, 5))
    w = np.zeros((1, 1, 2, 3))
    w[0, 0, 1, 2] = 1.0

    assert_close(student.conv2d_fast(x, w, np.zeros(1)), x[:, :, 1:, 2:])


@weight(3)
@number("29k.H2")
def test_gradients_by_differences(student, reference, rng):
    """dx, dw and db agree with differences where windows overlap and where the stride is larger than the filter"""
    for images, filters, stride, padding in (
        ((2, 2, 5, 4), (3, 2, 3, 2), 1, 1),
        ((1, 3, 6, 5), (2, 3, 2, 1), 3, 0),
    ):
        x, w, b = draw(rng, images, filters)
        upstream = rng.standard_normal(reference.conv2d_fast(x, w, b, stride, padding).shape)
        dx, dw, db = student.conv2d_fast_backward(upstream, x, w, stride, padding)
        assert_gradient(
            dx, lambda x, w=w, b=b, s=stride, p=padding: reference.conv2d_fast(x, w, b, s, p), x, upstream, name="dx"
        )
        assert_gradient(
            dw, lambda w, x=x, b=b, s=stride, p=padding: reference.conv2d_fast(x, w, b, s, p), w, upstream, name="dw"
        )
        assert_close(db, upstream.sum(axis=(0, 2, 3)), rtol=1e-10, atol=1e-12, name="db")


@weight(3)
@number("29k.H2")
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16], ids=["float64", "float32", "float16"])
def test_gradients_on_random_sizes(student, reference, rng, kind):
    """dx, dw and db are exact to rounding, on random sizes, strides and paddings"""
    for _ in range(8):
        images, filters, (stride, padding, _, _) = settings(rng)
        x, w, b = draw(rng, images, filters, kind)
        upstream = rng.standard_normal(reference.conv2d_fast(x, w, b, stride, padding).shape).astype(kind)
        right = reference.conv2d_fast_backward(taken(upstream), taken(x), taken(w), stride, padding)
        yours = student.conv2d_fast_backward(upstream, x, w, stride, padding)
        for mine, theirs, name in zip(yours, right, ("dx", "dw", "db"), strict=True):
            # At most N Ho Wo or O kh kw products, here below 500: 16 eps sqrt(500) of the largest entry and a little.
            inner = np.float32 if kind is np.float16 else kind
            scale = 4 + np.abs(theirs).max()
            rounding = 2.05 * EPS[kind] * scale if kind is np.float16 else 0.0
            assert_dtype(mine, kind, name=name)
            assert_close(taken(np.asarray(mine)), theirs, rtol=0, atol=360 * EPS[inner] * scale + rounding, name=name)


@weight(4)
@number("29k.H3")
@pytest.mark.parametrize("what", ["groups", "dilation", "both", "depthwise", "one by one"])
def test_groups_and_dilation(student, reference, rng, what):
    """Groups see their own channels, dilation spreads the taps, forward and backward"""
    for _ in range(3):
        images, filters, (stride, padding, dilation, parts) = settings(rng, groups=what in ("groups", "both"))
        dilation = 2 if what in ("dilation", "both") else 1
        if what == "depthwise":
            parts = int(rng.integers(2, 5))
            images, filters = (images[0], parts, *images[2:]), (2 * parts, 1, *filters[2:])
        if what == "one by one":
            filters = (*filters[:2], 1, 1)
        images = (*images[:2], *(dilation * (k - 1) + 1 + int(rng.integers(1, 6)) for k in filters[2:]))
        x, w, b = draw(rng, images, filters)
        extras = {"stride": stride, "padding": padding, "dilation": dilation, "groups": parts}
        right = reference.conv2d_fast(x, w, b, **extras)
        assert_close(student.conv2d_fast(x, w, b, **extras), right, rtol=1e-10, atol=1e-12)
        upstream = rng.standard_normal(right.shape)
        yours = student.conv2d_fast_backward(upstream, x, w, **extras)
        theirs = reference.conv2d_fast_backward(upstream, x, w, **extras)
        for mine, expected, name in zip(yours, theirs, ("dx", "dw", "db"), strict=True):
            assert_close(mine, expected, rtol=1e-10, atol=1e-12, name=name)


@weight(1)
@number("29k.H3")
def test_no_images(student, rng):
    """No images give no output and gradients of zero"""
    x, w, b = draw(rng, (0, 2, 5, 4), (3, 2, 2, 2))

    assert_close(student.conv2d_fast(x, w, b), np.zeros((0, 3, 4, 3)))
    dx, dw, db = student.conv2d_fast_backward(np.zeros((0, 3, 4, 3)), x, w)
    assert_close(dx, x, name="dx")
    assert_close(dw, np.zeros_like(w), name="dw")
    assert_close(db, np.zeros(3), name="db")


@weight(1)
@number("29k.H3")
def test_other_sizes_in_one_process(student, reference, rng):
    """Nothing is kept from call to call: other sizes, and the same sizes with other numbers, come out right"""
    for images, filters in (((2, 2, 6, 5), (3, 2, 2, 2)), ((1, 4, 5, 7), (2, 4, 3, 3)), ((2, 2, 6, 5), (3, 2, 2, 2))):
        x, w, b = draw(rng, images, filters)
        for sign in (1.0, -1.0):
            right = reference.conv2d_fast(sign * x, w, b)
            assert_close(student.conv2d_fast(sign * x, w, b), right, rtol=1e-10, atol=1e-12)


@weight(3)
@number("29k.H4")
def test_memory(student, kernel):
    """Three forward passes take at most one and a half times what the windows of the batch would take"""

    def draw_images(count):
        shapes = ((count, 32, 30, 30), (64, 32, 3, 3), (64,))
        return lambda rng: tuple(rng.standard_normal(shape, np.float32) for shape in shapes)

    def thrice(module, x, w, b):
        return [module.conv2d_fast(x, w, b) for _ in range(3)][-1]

    columns = 32 * 9 * 28 * 28 * 32 * 4 / 2**20
    sizes = {count: draw_images(count) for count in (1, 32)}
    kernel.insist_on_memory(thrice, sizes, most=1.5 * columns, work=1, name="conv2d_fast, by images")


def timed(rng, count, channels, side, filters, *, backward=False):
    """Inputs of a timed call: float32, new ones for every call."""
    x = rng.standard_normal((count, channels, side, side), np.float32)
    w = rng.standard_normal((filters, channels, 3, 3), np.float32) / np.float32(3 * np.sqrt(channels))
    upstream = rng.standard_normal((count, filters, side - 2, side - 2), np.float32)
    return (upstream, x, w) if backward else (x, w, rng.standard_normal(filters, np.float32))


def case(kernel, count, channels, side, filters, *, backward=False):
    """One size: 3 x 3 filters, no padding. Bounds: both kernels err by 16 eps sqrt(K) times the scale at most."""
    operations = 2 * count * filters * channels * 9 * (side - 2) ** 2
    what = f"{'backward' if backward else 'forward'}, {count} images of {channels} x {side} x {side}"
    length = count * (side - 2) ** 2 if backward else 9 * channels
    atol = 32 * EPS[np.float32] * np.sqrt(length) * (5 * np.sqrt(length) if backward else 6)
    return kernel.case(
        what,
        lambda rng: timed(rng, count, channels, side, filters, backward=backward),
        (1 + backward) * operations,
        atol,
    )


@weight(11)
@number("29k.H5")
def test_speed_forward(student, kernel, set_score):
    """How fast conv2d_fast is, against the reference"""
    cases = [case(kernel, 16, 32, 26, 64), case(kernel, 4, 64, 40, 64)]
    kernel.climb(
        lambda module, x, w, b: module.conv2d_fast(x, w, b), cases, case(kernel, 4, 8, 16, 16), FORWARD,
        lambda share: set_score(11 * share),
    )  # fmt: skip


@weight(5)
@number("29k.H5")
def test_speed_backward(student, kernel, set_score):
    """How fast conv2d_fast_backward is, against the reference"""
    cases = [case(kernel, 8, 32, 26, 64, backward=True)]
    kernel.climb(
        lambda module, upstream, x, w: module.conv2d_fast_backward(upstream, x, w), cases,
        case(kernel, 4, 8, 16, 16, backward=True), BACKWARD, lambda share: set_score(5 * share),
    )  # fmt: skip


@weight(2)
@number("29k.H6")
def test_bad_input(student, rng):
    """What does not fit is refused, and the text names the argument"""
    x, w, b = draw(rng, (2, 4, 5, 6), (6, 4, 3, 3))
    refused = [
        ((x[0], w, b), {}, "x"),
        ((x, w[0], b), {}, "w"),
        ((x, w[:, :3], b), {}, "w"),
        ((x, w, b[:5]), {}, "b"),
        ((x, w, b), {"stride": 0}, "stride"),
        ((x, w, b), {"padding": -1}, "padding"),
        ((x, w, b), {"dilation": 0}, "dilation"),
        ((x, w[:, :1], b), {"groups": 3}, "groups"),
        ((x, w[:, :1], b), {"groups": 4}, "groups"),
        ((x[:, :, :2], w, b), {}, "w"),
        ((x, w, b), {"dilation": 3}, "w"),
    ]
    for arguments, options, name in refused:
        assert_refuses(student.conv2d_fast, *arguments, naming=name, **options)
    assert_refuses(student.conv2d_fast_backward, rng.standard_normal((2, 6, 3, 3)), x, w, naming="upstream")
    assert_refuses(student.conv2d_fast_backward, rng.standard_normal((2, 6, 3, 4)), x, w, naming="groups", groups=0)


@weight(1)
@number("29k.H6")
def test_arguments_are_left_alone(student, rng):
    """No argument is changed, and no result is a view of one"""
    x, w, b = draw(rng, (2, 3, 4, 5), (3, 3, 1, 1))
    student.conv2d_fast(x, w, b)
    assert_leaves_inputs_alone(student.observed)
    student.conv2d_fast_backward(rng.standard_normal((2, 3, 4, 5)), x, w)
    assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("29k.H6")
def test_whole_numbers_become_float64(student, rng):
    """Whole numbers are convolved in float64"""
    x, w = rng.integers(-5, 5, (1, 2, 4, 4)), rng.integers(-5, 5, (3, 2, 2, 2))
    yours = student.conv2d_fast(x, w, np.zeros(3, np.int64))

    assert_dtype(yours, np.float64)
    assert_close(yours[0, 1, 2, 1], (x[0, :, 2:4, 1:3] * w[1]).sum())


@weight(0)
@number("29k.board")
def test_leaderboard(student, kernel):
    """Your place on the course's board, if LEADERBOARD is True in your file; gives no points"""
    one = np.ones((1, 1, 1, 1), np.float32)
    assert_close(student.conv2d_fast(one, one, one[0, 0, 0]), 2 * one)
    kernel.enter(
        student.LEADERBOARD is True, "29k conv2d_fast", lambda module, x, w, b: module.conv2d_fast(x, w, b),
        [case(kernel, 16, 32, 26, 64)], case(kernel, 4, 8, 16, 16), FORWARD,
    )  # fmt: skip


@weight(6)
@number("29k.H7")
@tags("gpu")
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_values_on_a_gpu(gpu, kind):
    """conv_kernel_gpu: forward and backward are exact to rounding on a GPU, channels first and last"""
    gpu.right(kind, back=False)
    gpu.right(kind, back=True)


@weight(8)
@number("29k.H8")
@tags("gpu")
def test_speed_forward_on_a_gpu(gpu, set_score):
    """How fast conv2d is on a GPU, against torch's own"""
    gpu.climb_track(back=False, give=lambda share: set_score(8 * share))


@weight(4)
@number("29k.H8")
@tags("gpu")
def test_speed_backward_on_a_gpu(gpu, set_score):
    """How fast conv2d_backward is on a GPU, against torch's own"""
    gpu.climb_track(back=True, give=lambda share: set_score(4 * share))


@weight(0)
@number("29k.board")
@tags("gpu")
def test_leaderboard_on_a_gpu(student, gpu):
    """Your place on the course's board for GPUs, if LEADERBOARD is True in your file; gives no points"""
    gpu.enter_track(student.LEADERBOARD is True, "29k conv2d on a GPU")
