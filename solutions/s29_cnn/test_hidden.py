"""Section 29: convolutional networks. Hidden tests."""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from nnkit.grader.compare import (
    assert_close,
    assert_dtype,
    assert_equal,
    assert_gradient,
    assert_leaves_inputs_alone,
    assert_refuses,
    float32_atol,
)

# Sums of up to 100 products of numbers of size 1: 100 roundings of 1e-16 of sums of up to 30.
ATOL = 1e-12


def close(yours, expected, name):
    """Hold that float64 results agree up to rounding."""
    assert_close(yours, expected, rtol=1e-9, atol=ATOL, name=name)


def problem(rng, images=2, channels=3, filters=4, size=(5, 8), kernel=(2, 3)):
    """Images, filters and biases, no two lengths alike."""
    return (
        rng.standard_normal((images, channels, *size)),
        rng.standard_normal((filters, channels, *kernel)),
        rng.standard_normal(filters),
    )


def positions(x, w, stride, padding):
    """Shape of what comes out, found by counting the places at which a window can begin."""
    counts = [len(range(0, n + 2 * padding - k + 1, stride)) for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    return (len(x), len(w), *counts)


def random_setting(rng):
    """Any sizes, kernels, strides 1 to 3 and paddings 0 to 3 that fit; some windows see nothing but padding."""
    kernel = rng.integers(1, 4, 2)
    padding = int(rng.integers(0, 4))
    size = np.maximum(kernel + rng.integers(0, 5, 2) - padding, 1)
    images, channels, filters = (int(count) for count in rng.integers(1, 4, 3))
    return problem(rng, images, channels, filters, size, kernel), int(rng.integers(1, 4)), padding


# Bookkeeping


@weight(3)
@number("29.H4")
def test_output_sizes(student, rng):
    """output_size is the number of places at which a window can begin, as an int, for 50 random settings"""
    assert_equal(student.output_size(6, 3), 4, name="output_size(6, 3)")
    for _ in range(50):
        k, padding, stride = int(rng.integers(1, 8)), int(rng.integers(0, 4)), int(rng.integers(1, 5))
        n = max(k - 2 * padding, 1) + int(rng.integers(0, 20))
        expected = len(range(0, n + 2 * padding - k + 1, stride))
        name = f"output_size({n}, {k}, {stride}, {padding})"
        assert_equal(student.output_size(n, k, stride, padding), expected, name=name)


def conv(filters, kernel, stride=1, padding=0):
    """Describe a convolution for trace_cnn."""
    return {"kind": "conv", "filters": filters, "kernel": kernel, "stride": stride, "padding": padding}


def pool(kernel, stride):
    """Describe a pooling for trace_cnn."""
    return {"kind": "pool", "kernel": kernel, "stride": stride}


def dense(units):
    """Describe a dense layer for trace_cnn."""
    return {"kind": "dense", "units": units}


RELU, FLATTEN = {"kind": "relu"}, {"kind": "flatten"}


@weight(2)
@number("29.H5")
def test_network_of_the_picture(student):
    """The pictured network has 1 625 866 parameters with padding 1, 1 011 466 without, and far fewer with a second pooling"""
    for padding, pools, total in ((1, 1, 1_625_866), (0, 1, 1_011_466), (1, 2, 421_642), (0, 2, 225_034)):
        specs = [conv(32, 3, 1, padding), RELU, pool(2, 2), conv(64, 3, 1, padding), RELU, *[pool(2, 2)] * (pools - 1)]
        trace = student.trace_cnn((1, 28, 28), [*specs, FLATTEN, dense(128), RELU, dense(10)])

        assert len(trace) == 8 + pools, "the trace must have one entry for every layer"
        name = f"the sum of all params with padding {padding} and {pools} times pooling"
        assert_equal(sum(entry["params"] for entry in trace), total, name=name)


@weight(2)
@number("29.H5")
def test_trace(student, reference, rng):
    """Shapes and parameters after every layer agree with the reference, for colour images that are not square"""
    for _ in range(3):
        f, g, units = (int(n) for n in rng.permutation(np.arange(2, 9))[:3])
        specs = [
            conv(f, 5, 2, 1),
            RELU,
            pool(3, 2),
            conv(g, 2, 1, 2),
            pool(2, 1),
            FLATTEN,
            dense(units),
            RELU,
            dense(3),
        ]
        size = (int(rng.integers(20, 26)), int(rng.integers(27, 34)))
        found, expected = student.trace_cnn((3, *size), specs), reference.trace_cnn((3, *size), specs)
        for spec, yours, theirs in zip(specs, found, expected, strict=True):
            assert_equal(yours["params"], theirs["params"], name=f"params of {spec}")
            assert_equal(yours["shape"], theirs["shape"], name=f"shape after {spec}")


# Pooling


@weight(1)
@number("29.H3")
def test_windows_side_by_side(student, rng):
    """With stride = k the image falls into k x k blocks, each channel for itself; what is left over is dropped"""
    x = rng.standard_normal((2, 3, 4, 6))
    blocks = x.reshape(2, 3, 2, 2, 3, 2).max(axis=(3, 5))
    assert_close(student.max_pool2d(x, 2, 2), blocks, rtol=0.0, name="max_pool2d(x, 2, 2)")

    wider = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=9.0)
    assert_close(student.max_pool2d(wider, 2, 2), blocks, rtol=0.0, name="max_pool2d of one row and column more")


@weight(2)
@number("29.H3")
def test_overlapping_windows(student, reference, rng):
    """max_pool2d takes k and stride as they are: windows that overlap, windows with gaps between them, one pixel each"""
    x = rng.standard_normal((2, 3, 7, 9))
    for k, stride in ((3, 2), (3, 1), (2, 3), (1, 2), (4, 1)):
        expected = reference.max_pool2d(x, k, stride)
        assert_close(student.max_pool2d(x, k, stride), expected, rtol=0.0, name=f"max_pool2d(x, {k}, {stride})")


@weight(1)
@number("29.H3")
def test_negative_images(student, reference, rng):
    """The largest of negative numbers is negative, and the sign counts, not the size"""
    for scale in (1.0, 1e12):
        x = -scale * rng.uniform(0.1, 1, (2, 2, 5, 7))
        assert_close(student.max_pool2d(x, 2, 2), reference.max_pool2d(x, 2, 2), rtol=0.0, name="max_pool2d(x, 2, 2)")


@weight(2)
@number("29.H14")
def test_gradient_goes_to_the_maximum(student, rng):
    """The largest pixel of a window gets its gradient, all the others get 0"""
    x = rng.permutation(48).reshape(1, 2, 4, 6) - 24.5
    upstream = rng.standard_normal((1, 2, 2, 3))
    largest = x.reshape(1, 2, 2, 2, 3, 2).max(axis=(3, 5))
    expected = np.where(x == np.kron(largest, np.ones((2, 2))), np.kron(upstream, np.ones((2, 2))), 0.0)

    assert_close(student.max_pool2d_backward(upstream, x, 2, 2), expected, name="dx")


@weight(2)
@number("29.H14")
def test_gradient_of_overlapping_windows(student, reference, rng):
    """A pixel that is the maximum of several windows gets the gradients of all of them"""
    for k, stride in ((3, 2), (2, 1)):
        # A permutation, so that no two pixels are nearer than 0.05 and differences meet no kink.
        x = 0.05 * rng.permutation(20).reshape(1, 1, 4, 5)
        upstream = rng.standard_normal(reference.max_pool2d(x, k, stride).shape)
        yours = student.max_pool2d_backward(upstream, x, k, stride)
        name = f"dx with windows of {k} and stride {stride}"
        assert_gradient(yours, lambda at, k=k, s=stride: reference.max_pool2d(at, k, s), x, upstream, name=name)


@weight(2)
@number("29.H14")
def test_ties(student, rng):
    """Of several maxima the first one, row by row, gets all of the gradient: in an image of zeros the upper left corner"""
    upstream = rng.standard_normal((2, 3, 2, 2))
    expected = np.zeros((2, 3, 6, 6))
    expected[:, :, ::3, ::3] = upstream
    assert_close(student.max_pool2d_backward(upstream, np.zeros((2, 3, 6, 6)), 3, 3), expected, name="dx of zeros")

    # The last pixel of the first row comes before the first pixel of the second.
    image = np.array([[0.0, 1.0], [1.0, 0.0]])[None, None]
    expected = np.array([[0.0, 5.0], [0.0, 0.0]])[None, None]
    assert_close(student.max_pool2d_backward(np.full((1, 1, 1, 1), 5.0), image, 2, 1), expected, name="dx of a tie")


@weight(2)
@number("29.H15")
def test_any_image_of_few_values(student, reference, rng):
    """max_pool2d_backward agrees with the reference on images of few values, where ties and overlaps are many"""
    for _ in range(8):
        k, stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        x = rng.integers(-2, 1, (2, 2, *(k + rng.integers(0, 5, 2)))) / 2
        upstream = rng.standard_normal(reference.max_pool2d(x, k, stride).shape)
        yours = student.max_pool2d_backward(upstream, x, k, stride)
        # Sums of at most nine gradients.
        close(yours, reference.max_pool2d_backward(upstream, x, k, stride), f"dx of {x.shape}, k {k}, stride {stride}")


# Convolution, forwards


@weight(2)
@number("29.H1")
def test_channels_and_filters(student, reference, rng):
    """Every filter sums over all channels of an image and adds its own bias, images and kernels not square"""
    x, w, b = problem(rng)
    close(student.conv2d(x, w, b), reference.conv2d(x, w, b), "conv2d(x, w, b)")

    x, w, b = problem(rng, size=(6, 6), kernel=(3, 3))
    close(student.conv2d(x, w, b), reference.conv2d(x, w, b), "conv2d of square images with square kernels")


@weight(2)
@number("29.H12")
def test_stride(student, reference, rng):
    """With stride 2 or 3 only every second or third position counts, also where the last pixels are left over"""
    for size in ((5, 8), (7, 9), (4, 6)):
        x, w, b = problem(rng, size=size)
        for stride in (2, 3):
            expected = reference.conv2d(x, w, b, stride)
            close(student.conv2d(x, w, b, stride), expected, f"conv2d(x, w, b, stride={stride})")


@weight(2)
@number("29.H12")
def test_padding(student, reference, rng):
    """padding adds zeros on all four sides, also more than the kernel is wide"""
    x, w, b = problem(rng, size=(3, 4))
    for padding in (2, 1, 3):
        expected = reference.conv2d(x, w, b, padding=padding)
        close(student.conv2d(x, w, b, padding=padding), expected, f"conv2d(x, w, b, padding={padding})")


@weight(3)
@number("29.H15")
def test_any_setting(student, reference, rng):
    """conv2d agrees with the reference for 20 random sizes, kernels, strides and paddings, one image or one channel too"""
    for _ in range(20):
        (x, w, b), stride, padding = random_setting(rng)
        name = f"conv2d of {x.shape} with {w.shape}, stride {stride}, padding {padding}"
        close(student.conv2d(x, w, b, stride, padding), reference.conv2d(x, w, b, stride, padding), name)


# Convolution, backwards


@weight(2)
@number("29.H13")
def test_gradient_of_the_bias(student, rng):
    """db is the sum of the incoming gradient over images and positions, one number per filter"""
    x, w, _ = problem(rng)
    upstream = rng.standard_normal((2, 4, 4, 6))

    close(student.conv2d_backward(upstream, x, w)[2], upstream.sum(axis=(0, 2, 3)), "db")


@weight(3)
@number("29.H13")
def test_gradient_of_the_filters(student, reference, rng):
    """dw is what central differences find, with overlapping windows, with padding and with a stride"""
    for stride, padding in ((1, 0), (2, 1)):
        x, w, b = problem(rng, channels=2, filters=3, size=(3, 4))
        upstream = rng.standard_normal(positions(x, w, stride, padding))
        yours = student.conv2d_backward(upstream, x, w, stride, padding)[1]
        assert_gradient(
            yours,
            lambda at, x=x, b=b, stride=stride, padding=padding: reference.conv2d(x, at, b, stride, padding),
            w,
            upstream,
            name=f"dw with stride {stride} and padding {padding}",
        )


@weight(3)
@number("29.H2")
def test_gradient_of_the_image(student, reference, rng):
    """dx is what central differences find: overlapping windows add up, and the padding is cut off again"""
    for stride, padding in ((1, 0), (2, 1)):
        x, w, b = problem(rng, channels=1, filters=3, size=(3, 4))
        upstream = rng.standard_normal(positions(x, w, stride, padding))
        yours = student.conv2d_backward(upstream, x, w, stride, padding)[0]
        assert_gradient(
            yours,
            lambda at, w=w, b=b, stride=stride, padding=padding: reference.conv2d(at, w, b, stride, padding),
            x,
            upstream,
            name=f"dx with stride {stride} and padding {padding}",
        )


@weight(2)
@number("29.H2")
def test_pixels_never_seen(student, rng):
    """With a stride of 3 and a 2 x 2 kernel the pixels between the windows, and those left over, get exactly 0"""
    x, w, _ = problem(rng, filters=1, size=(7, 9), kernel=(2, 2))
    upstream = rng.standard_normal((2, 1, 2, 3))
    # Windows that do not overlap: each holds its gradient times the kernel.
    expected = np.zeros(x.shape)
    for i in range(2):
        for j in range(3):
            expected[:, :, 3 * i : 3 * i + 2, 3 * j : 3 * j + 2] = upstream[:, :, i, j][..., None, None] * w

    close(student.conv2d_backward(upstream, x, w, 3)[0], expected, "dx")


@weight(3)
@number("29.H15")
def test_any_setting_backwards(student, reference, rng):
    """All three gradients agree with the reference for 15 random sizes, kernels, strides and paddings"""
    for _ in range(15):
        (x, w, _), stride, padding = random_setting(rng)
        upstream = rng.standard_normal(positions(x, w, stride, padding))
        found = student.conv2d_backward(upstream, x, w, stride, padding)
        expected = reference.conv2d_backward(upstream, x, w, stride, padding)
        setting = f"of {x.shape} with {w.shape}, stride {stride}, padding {padding}"
        for yours, theirs, name in zip(found, expected, ("dx", "dw", "db"), strict=True):
            close(yours, theirs, f"{name} {setting}")


# Properties


@weight(1)
@number("29.H6")
def test_single_bright_pixel(student, rng):
    """A single bright pixel leaves the kernel behind, turned round: position (i, j) holds the weight that lies on it"""
    image, kernel = np.zeros((1, 1, 7, 8)), rng.standard_normal((1, 1, 2, 3))
    row, column = int(rng.integers(1, 6)), int(rng.integers(2, 6))
    image[0, 0, row, column] = 1
    expected = np.zeros((1, 1, 6, 6))
    expected[0, 0, row - 1 : row + 1, column - 2 : column + 1] = kernel[0, 0, ::-1, ::-1]

    close(student.conv2d(image, kernel, np.zeros(1)), expected, "conv2d(x, w, 0)")


@weight(1)
@number("29.H6")
def test_small_and_large_kernels(student, rng):
    """A 1 x 1 kernel mixes the channels of every pixel; one as large as the image gives a single number"""
    x, w, b = problem(rng, kernel=(1, 1))
    mixed = np.moveaxis(np.moveaxis(x, 1, 3) @ w[:, :, 0, 0].T + b, 3, 1)
    close(student.conv2d(x, w, b), mixed, "conv2d with 1 x 1 kernels")

    x, w, b = problem(rng, kernel=(5, 8))
    dense = (x.reshape(2, -1) @ w.reshape(4, -1).T + b)[:, :, None, None]
    close(student.conv2d(x, w, b), dense, "conv2d with kernels as large as the image")


@weight(1)
@number("29.H6")
def test_moved_image(student, rng):
    """When the image moves, the feature maps move along: away from the border nothing else changes"""
    x, w, b = problem(rng, size=(9, 11), kernel=(2, 3))
    for stride in (1, 2):
        down, right = stride * int(rng.integers(1, 3)), stride * int(rng.integers(1, 3))
        whole = student.conv2d(x, w, b, stride)
        moved = student.conv2d(x[:, :, down:, right:], w, b, stride)
        close(moved, whole[:, :, down // stride :, right // stride :], f"conv2d of the moved image, stride {stride}")


@weight(1)
@number("29.H6")
def test_linear_in_the_image(student, rng):
    """Without biases the result is linear in the image, at the padded border too"""
    (x, w, _), (other, _, _), zero = problem(rng), problem(rng), np.zeros(4)
    p, q = rng.uniform(-3, 3, 2)
    parts = p * student.conv2d(x, w, zero, 1, 1) + q * student.conv2d(other, w, zero, 1, 1)
    close(student.conv2d(p * x + q * other, w, zero, 1, 1), parts, "conv2d(p * x + q * other, w, 0)")


@weight(1)
@number("29.H6")
def test_linear_in_the_filters(student, rng):
    """The result is linear in the filters, and a bias lifts its own feature map by as much at every position"""
    (x, w, b), (_, other, _), zero = problem(rng), problem(rng), np.zeros(4)
    p, q = rng.uniform(-3, 3, 2)
    plain = student.conv2d(x, w, zero)
    close(student.conv2d(x, w, b), plain + b[:, None, None], "conv2d(x, w, b)")
    close(
        student.conv2d(x, p * w + q * other, zero),
        p * plain + q * student.conv2d(x, other, zero),
        "conv2d(x, p * w + q * other, 0)",
    )


# Kinds of number, arguments, bad input


@weight(1)
@number("29.H9")
def test_kind_of_number(student, reference, rng):
    """float32 in, float32 out, for values and for all gradients; float64 stays float64"""
    # Eighths: their products and the sums of these are exact in float32 too, so only the dtype can differ.
    wide = [rng.integers(-8, 9, array.shape) / 8 for array in (*problem(rng), np.empty((2, 4, 6, 8)))]
    for dtype in (np.float32, np.float64):
        x, w, b, upstream = (array.astype(dtype) for array in wide)
        # What Fourier transforms leave of sums of up to 48 products.
        atol = float32_atol(48) if dtype == np.float32 else ATOL
        yours = student.conv2d(x, w, b, 1, 1)
        assert_dtype(yours, dtype, name=f"conv2d of {x.dtype} arrays")
        assert_close(yours, reference.conv2d(*wide[:3], 1, 1), atol=atol, name=f"conv2d of {x.dtype} arrays")

        found = student.conv2d_backward(upstream, x, w, 1, 1)
        expected = reference.conv2d_backward(wide[3], *wide[:2], 1, 1)
        for gradient, theirs, name in zip(found, expected, ("dx", "dw", "db"), strict=True):
            assert_dtype(gradient, dtype, name=f"{name} of {x.dtype} arrays")
            assert_close(gradient, theirs, atol=atol, name=f"{name} of {x.dtype} arrays")

        yours = student.max_pool2d(x, 2, 1)
        assert_dtype(yours, dtype, name=f"max_pool2d of {x.dtype} arrays")
        assert_close(yours, reference.max_pool2d(x, 2, 1), rtol=0.0, name=f"max_pool2d of {x.dtype} arrays")
        yours = student.max_pool2d_backward(upstream[:, :3, :4, :7], x, 2, 1)
        assert_dtype(yours, dtype, name=f"max_pool2d_backward of {x.dtype} arrays")


@weight(1)
@number("29.H9")
def test_pixels_of_whole_numbers(student, reference, rng):
    """An image of ints from 0 to 255 is convolved and pooled like the same numbers in float64"""
    pixels = rng.integers(0, 256, (2, 3, 5, 8))
    _, w, b = problem(rng)
    for kind in (np.int64, np.uint8):
        x = pixels.astype(kind)
        yours = student.conv2d(x, w, b, 1, 1)
        assert_dtype(yours, np.float64, name=f"conv2d of {x.dtype} pixels")
        # Values of up to 255 instead of 1.
        expected = reference.conv2d(pixels.astype(np.float64), w, b, 1, 1)
        assert_close(yours, expected, rtol=1e-9, atol=255 * ATOL, name=f"conv2d of {x.dtype} pixels")
        yours = student.max_pool2d(x, 2, 2)
        assert_dtype(yours, np.float64, name=f"max_pool2d of {x.dtype} pixels")
        assert_close(
            yours, reference.max_pool2d(pixels.astype(np.float64), 2, 2), name=f"max_pool2d of {x.dtype} pixels"
        )
        upstream = rng.standard_normal((2, 3, 2, 4))
        yours = student.max_pool2d_backward(upstream, x, 2, 2)
        assert_dtype(yours, np.float64, name=f"max_pool2d_backward of {x.dtype} pixels")
        assert_close(yours, reference.max_pool2d_backward(upstream, x, 2, 2), name=f"dx of {x.dtype} pixels")


@weight(1)
@number("29.H10")
def test_inputs_stay(student, rng):
    """No function changes its arguments, and no result shares memory with one, also for 1 x 1 windows"""
    for kernel, stride, padding in (((2, 3), 1, 0), ((2, 3), 2, 1), ((1, 1), 1, 0)):
        x, w, b = problem(rng, kernel=kernel)
        upstream = rng.standard_normal(positions(x, w, stride, padding))
        student.conv2d(x, w, b, stride, padding)
        assert_leaves_inputs_alone(student.observed)
        student.conv2d_backward(upstream, x, w, stride, padding)
        assert_leaves_inputs_alone(student.observed)
    for k in (2, 1):
        upstream = rng.standard_normal((2, 3, 6 - k, 9 - k))
        student.max_pool2d(x, k, 1)
        assert_leaves_inputs_alone(student.observed)
        student.max_pool2d_backward(upstream, x, k, 1)
        assert_leaves_inputs_alone(student.observed)


@weight(1)
@number("29.H10")
def test_specs_stay(student):
    """trace_cnn leaves the specs as they were, and the same specs give the same trace again"""
    specs = [conv(3, 3), pool(2, 2), RELU, FLATTEN, dense(2)]
    first = student.trace_cnn((1, 8, 9), specs)
    assert_leaves_inputs_alone(student.observed)
    assert_equal(student.trace_cnn((1, 8, 9), specs), first, name="the second trace of the same specs")


@weight(1)
@number("29.H11")
def test_channels_that_do_not_fit(student, rng):
    """Images and filters with different numbers of channels are refused by name, also where numpy could stretch one"""
    for ours, theirs in ((3, 1), (1, 3), (3, 2)):
        x, w, b = rng.standard_normal((2, ours, 5, 6)), rng.standard_normal((4, theirs, 2, 3)), np.zeros(4)
        assert_refuses(student.conv2d, x, w, b, naming="channels")
        assert_refuses(student.conv2d_backward, rng.standard_normal((2, 4, 4, 4)), x, w, naming="channels")


@weight(1)
@number("29.H11")
def test_kernels_that_do_not_fit(student, rng):
    """A kernel larger than the padded image is refused by name, whichever side is too short"""
    x, b = rng.standard_normal((1, 2, 4, 6)), np.zeros(3)
    assert_refuses(student.output_size, 4, 5, naming="kernel")
    assert_refuses(student.output_size, 2, 5, 3, 1, naming="kernel")
    assert_equal(student.output_size(3, 5, 2, 1), 1, name="output_size(3, 5, 2, 1)")
    for shape in ((3, 2, 5, 2), (3, 2, 2, 7)):
        assert_refuses(student.conv2d, x, rng.standard_normal(shape), b, naming="kernel")
    assert_refuses(student.max_pool2d, x, 5, 1, naming="kernel")
    assert_refuses(student.trace_cnn, (2, 4, 6), [conv(3, 3), pool(3, 1)], naming="kernel")


@weight(1)
@number("29.H11")
def test_no_stride(student, rng):
    """A stride below 1 is refused by name everywhere"""
    x, w, b = problem(rng)
    upstream = rng.standard_normal((2, 4, 4, 6))
    for stride in (0, -1):
        assert_refuses(student.output_size, 7, 3, stride, naming="stride")
        assert_refuses(student.conv2d, x, w, b, stride, naming="stride")
        assert_refuses(student.conv2d_backward, upstream, x, w, stride, naming="stride")
        assert_refuses(student.max_pool2d, x, 2, stride, naming="stride")
        assert_refuses(student.max_pool2d_backward, upstream, x, 2, stride, naming="stride")


@weight(1)
@number("29.H11")
def test_gradients_of_another_shape(student, rng):
    """An incoming gradient of another shape than the result is refused by name, also where numpy could stretch it"""
    x, w, _ = problem(rng)
    for shape in ((2, 4, 1, 1), (1, 4, 4, 6), (2, 4, 4, 5), (2, 4, 5, 8)):
        assert_refuses(student.conv2d_backward, rng.standard_normal(shape), x, w, naming="upstream")
    for shape in ((2, 3, 1, 1), (1, 3, 4, 7), (2, 3, 4, 6), (2, 3, 5, 8)):
        assert_refuses(student.max_pool2d_backward, rng.standard_normal(shape), x, 2, 1, naming="upstream")


@weight(1)
@number("29.H11")
def test_layers_in_a_wrong_place(student):
    """trace_cnn refuses dense before flatten, conv and pool after it, and layers it does not know, and names their kind"""
    before = [conv(3, 3)]
    assert_refuses(student.trace_cnn, (1, 8, 9), [*before, dense(5)], naming="dense")
    assert_refuses(student.trace_cnn, (1, 8, 9), [*before, FLATTEN, conv(2, 3)], naming="conv")
    assert_refuses(student.trace_cnn, (1, 8, 9), [*before, FLATTEN, dense(5), pool(2, 2)], naming="pool")
    assert_refuses(student.trace_cnn, (1, 8, 9), [*before, {"kind": "dropout"}], naming="dropout")


# The whole


def bars(rng, count):
    """Noisy 8 x 8 images with one bright row (label 0) or column (label 1), never at the border, and their labels."""
    x, labels = rng.normal(0, 0.2, (count, 1, 8, 8)), rng.integers(0, 2, count)
    for image, label, place in zip(x[:, 0], labels, rng.integers(2, 6, count), strict=True):
        image[(slice(None), place) if label else place] += 1
    return x, labels


def accuracy_after_training(student, rng):
    """Train four 3 x 3 filters and their biases below a fixed vote: filters 0 and 1 for rows, 2 and 3 for columns."""
    w, b, vote = rng.normal(0, 0.3, (4, 1, 3, 3)), np.zeros(4), np.array([[1.0, 1, -1, -1], [-1, -1, 1, 1]])
    x, labels = bars(rng, 36)

    def forward(images):
        z = student.conv2d(images, w, b)
        a = np.maximum(z, 0)
        return z, a, student.max_pool2d(a, 6, 6)[:, :, 0, 0] @ vote.T

    for _ in range(10):
        for batch in rng.permutation(36).reshape(3, 12):
            z, a, logits = forward(x[batch])
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(12), labels[batch]] -= 1
            da = student.max_pool2d_backward((p / 12 @ vote)[:, :, None, None], a, 6, 6)
            _, dw, db = student.conv2d_backward(da * (z > 0), x[batch], w)
            w, b = w - 0.2 * dw, b - 0.2 * db
    fresh, truth = bars(rng, 100)
    return float(np.mean(forward(fresh)[2].argmax(axis=1) == truth))


@weight(2)
@number("29.H7")
@tags("training")
def test_bars(student, rng):
    """Four filters learn to tell bright rows from bright columns in 10 epochs: 95 of 100 new images are right"""
    # Measured: 100 of 100 on each of 300 seeds. Filters that do not learn reach 95 on 17 of 300.
    reached = []
    for seed in rng.spawn(3):  # two of three must succeed
        reached.append(accuracy_after_training(student, seed))
        if sum(accuracy >= 0.95 for accuracy in reached) == 2:
            return
        if sum(not accuracy >= 0.95 for accuracy in reached) == 2:
            break
    pytest.fail(f"on new images the network is right in a share of {math.fsum(reached) / len(reached):.2f}")


@weight(2)
@number("29.H8")
def test_speed(student, speed, rng):
    """conv2d of 8 images of 16 x 18 x 20 with 64 filters takes at most eight times the reference's time"""
    # Measured: loops over the kernel or over the positions 0.9 to 2.5 times, Fourier transforms 2.2; einsum that is not
    # allowed to use matrix products 16, loops over images and positions 18, over everything more than 100.
    inputs = problem(rng, 8, 16, 64, (18, 20), (3, 3))
    speed.at_most(8, lambda module, *arguments: module.conv2d(*arguments), lambda: inputs)


@weight(1)
@number("29.H8")
def test_speed_backwards(student, speed, rng):
    """conv2d_backward of 24 images of 8 x 10 x 12 with 8 filters takes at most twelve times the reference's time"""
    # Measured: loops over the kernel or over the positions 0.9 to 1.9 times, np.add.at 3.4, einsum that is not allowed
    # to use matrix products up to 8.5, loops over images and positions 28.
    x, w, _ = problem(rng, 24, 8, 8, (10, 12), (3, 3))
    inputs = (rng.standard_normal((24, 8, 8, 10)), x, w)
    speed.at_most(12, lambda module, *arguments: module.conv2d_backward(*arguments), lambda: inputs)
