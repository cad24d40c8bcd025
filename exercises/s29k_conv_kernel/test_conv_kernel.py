"""Section 29k: convolution, fast. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_gradient

# Share of what a matrix product reaches on the machine of the authors, in per cent.
MEASURED = {
    "loops over lists": 0.05,
    "einsum as it comes": 0.8,
    "one channel at a time": 3,
    "tensordot": 33,
    "a product for each offset": 53,
    "im2col, one image at a time": 60,
}


def test_three_by_three_by_hand(student):
    """The filter 1 0 / 0 -1 on the numbers 1 to 9 gives -4 everywhere, and -3.5 with a bias of a half"""
    x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    w = np.array([[[[1.0, 0.0], [0.0, -1.0]]]])

    assert_close(student.conv2d_fast(x, w, np.array([0.0])), np.full((1, 1, 2, 2), -4.0))
    assert_close(student.conv2d_fast(x, w, np.array([0.5])), np.full((1, 1, 2, 2), -3.5))


def test_groups_and_dilation_by_hand(student):
    """With two groups each filter sees one channel; with dilation 2 the taps lie two pixels apart"""
    x = np.stack([np.arange(9.0), 10 * np.arange(9.0)]).reshape(1, 2, 3, 3)
    w = np.array([[[[1.0, 2.0]]], [[[3.0, 4.0]]]])

    # Rows 0 1 2 / 3 4 5 / 6 7 8; taps in columns 0 and 2.
    expected = np.array([[[[4.0], [13.0], [22.0]], [[80.0], [290.0], [500.0]]]])
    assert_close(student.conv2d_fast(x, w, np.zeros(2), dilation=2, groups=2), expected)


def test_gradients_of_a_small_case(student, rng):
    """All three gradients agree with differences, for two channels of 5 x 5, three filters of 2 x 3, stride 2, padding 1"""
    x, w, b = (rng.standard_normal(shape) for shape in ((1, 2, 5, 5), (3, 2, 2, 3), (3,)))
    upstream = rng.standard_normal((1, 3, 3, 3))

    dx, dw, db = student.conv2d_fast_backward(upstream, x, w, stride=2, padding=1)

    def forward(x, w, b):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        out = np.zeros((1, 3, 3, 3))
        for i in range(3):
            for j in range(3):
                window = padded[:, None, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3]
                out[:, :, i, j] = (window * w).sum(axis=(2, 3, 4)) + b
        return out

    assert_gradient(dx, lambda x: forward(x, w, b), x, upstream, name="dx")
    assert_gradient(dw, lambda w: forward(x, w, b), w, upstream, name="dw")
    assert_gradient(db, lambda b: forward(x, w, b), b, upstream, name="db")


def test_how_fast_it_is_here(student, kernel):
    """For your eyes: how fast it is on this machine (four images of 64 x 28 x 28, 64 filters of 3 x 3)"""
    small = student.conv2d_fast(np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32), np.zeros(1))
    assert_close(small, [[[[4.0]]]])

    def size(count, channels, side):
        shapes = ((count, channels, side, side), (channels, channels, 3, 3), (channels,))
        flops = 2 * count * channels**2 * 9 * (side - 2) ** 2
        return flops, lambda rng: tuple(rng.standard_normal(shape, np.float32) for shape in shapes)

    sizes = [size(1, 8, 10), size(2, 32, 16), size(4, 64, 28)]
    kernel.look(lambda module, x, w, b: module.conv2d_fast(x, w, b), sizes, MEASURED, "conv2d_fast")
