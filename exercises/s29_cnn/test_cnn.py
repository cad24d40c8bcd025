"""Section 29: convolutional networks. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_equal

IMAGE = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]])[None, None]  # one image, one channel
KERNEL = np.array([[1.0, 2.0], [0.0, -1.0]])[None, None]  # one filter, one channel
POOLED = np.array([[1.0, 3.0, 2.0, 0.0], [4.0, 2.0, 1.0, 5.0], [0.0, 1.0, -1.0, -2.0], [2.0, 2.0, -3.0, -1.0]])


def test_convolution_by_hand(student):
    """A 2 x 2 kernel has four positions in the 3 x 3 image of the lesson and finds 5, 0, 3 and 7 there"""
    yours = student.conv2d(IMAGE, KERNEL, np.array([1.0]))

    assert_close(yours, np.array([[5.0, 0.0], [3.0, 7.0]])[None, None], atol=1e-12, name="conv2d(x, w, b)")


def test_vertical_edge(student):
    """The kernel [-1, 0, 1], three times, gives 3 where dark turns to bright, and 0 where nothing changes"""
    image = np.array([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]] * 4)[None, None]
    kernel = np.array([[-1.0, 0.0, 1.0]] * 3)[None, None]

    expected = np.array([[0.0, 3.0, 3.0, 0.0]] * 2)[None, None]
    assert_close(student.conv2d(image, kernel, np.zeros(1)), expected, atol=1e-12, name="conv2d(x, w, 0)")


def test_channels_add_up(student):
    """Two filters of 1 x 1 mix two channels: each sums over the channels and adds its own bias"""
    x = np.array([[[1.0, 2.0]], [[10.0, 20.0]]])[None]  # (1, 2, 1, 2)
    w = np.array([[3.0, 1.0], [0.0, -1.0]])[:, :, None, None]

    expected = np.array([[[13.5, 26.5]], [[-9.0, -19.0]]])[None]
    assert_close(student.conv2d(x, w, np.array([0.5, 1.0])), expected, atol=1e-12, name="conv2d(x, w, b)")


def test_stride_and_padding(student):
    """With padding 1 and stride 2 the window of the lesson's kernel begins at rows -1 and 1 and at columns -1 and 1"""
    expected = np.array([[-1.0, 0.0], [-2.0, 6.0]])[None, None]
    yours = student.conv2d(IMAGE, KERNEL, np.zeros(1), stride=2, padding=1)

    assert_close(yours, expected, atol=1e-12, name="conv2d(x, w, 0, stride=2, padding=1)")


def test_gradients_by_hand(student):
    """The incoming gradient [[1, 0], [-1, 2]] gives the dx, dw and db of the lesson"""
    dx, dw, db = student.conv2d_backward(np.array([[1.0, 0.0], [-1.0, 2.0]])[None, None], IMAGE, KERNEL)

    assert_close(db, np.array([2.0]), atol=1e-12, name="db")
    assert_close(dw, np.array([[3.0, 7.0], [-2.0, 3.0]])[None, None], atol=1e-12, name="dw")
    expected = np.array([[1.0, 2.0, 0.0], [-1.0, -1.0, 4.0], [0.0, 1.0, -2.0]])[None, None]
    assert_close(dx, expected, atol=1e-12, name="dx")


def test_gradients_with_stride_and_padding(student):
    """With stride 2 and padding 1 dx has the image's shape, and the incoming gradient 1, 2, 3, 4 arrives where it belongs"""
    upstream = np.array([[1.0, 2.0], [3.0, 4.0]])[None, None]
    dx, dw, db = student.conv2d_backward(upstream, IMAGE, KERNEL, stride=2, padding=1)

    assert_close(db, np.array([10.0]), atol=1e-12, name="db")
    assert_close(dw, np.array([[4.0, 12.0], [4.0, 11.0]])[None, None], atol=1e-12, name="dw")
    expected = np.array([[-1.0, 0.0, -2.0], [6.0, 4.0, 8.0], [-3.0, 0.0, -4.0]])[None, None]
    assert_close(dx, expected, atol=1e-12, name="dx")


def test_pooling_by_hand(student):
    """The 4 x 4 image of the lesson becomes 4, 5, 2 and -1"""
    expected = np.array([[4.0, 5.0], [2.0, -1.0]])[None, None]
    assert_close(student.max_pool2d(POOLED[None, None], 2, 2), expected, name="max_pool2d(x, 2, 2)")


def test_pooling_gradient_by_hand(student):
    """The gradients 10, 20, 30 and 40 arrive at the maxima, of two equal ones at the first"""
    expected = np.zeros((1, 1, 4, 4))
    expected[0, 0, [1, 1, 3, 2], [0, 3, 0, 2]] = [10.0, 20.0, 30.0, 40.0]
    yours = student.max_pool2d_backward(np.array([[10.0, 20.0], [30.0, 40.0]])[None, None], POOLED[None, None], 2, 2)

    assert_close(yours, expected, name="max_pool2d_backward(upstream, x, 2, 2)")


def test_sizes(student):
    """A window of 3 has 26 positions on 28 pixels, 28 with padding 1, and 14 if the stride is 2 as well"""
    for settings, expected in (((28, 3), 26), ((28, 3, 1, 1), 28), ((28, 3, 2, 1), 14), ((13, 2, 2), 6)):
        assert_equal(student.output_size(*settings), expected, name=f"output_size{settings}")


def test_network_of_the_picture(student):
    """The pictured network with 3 x 3 kernels and padding 1: shapes as in the lesson, 1 625 866 parameters in all"""
    conv = {"kind": "conv", "filters": 32, "kernel": 3, "stride": 1, "padding": 1}
    dense = {"kind": "dense", "units": 128}
    specs = [conv, {"kind": "relu"}, {"kind": "pool", "kernel": 2, "stride": 2}, {**conv, "filters": 64}]
    trace = student.trace_cnn((1, 28, 28), [*specs, {"kind": "flatten"}, dense, {**dense, "units": 10}])

    shapes = [(32, 28, 28), (32, 28, 28), (32, 14, 14), (64, 14, 14), (12544,), (128,), (10,)]
    params = [320, 0, 0, 18496, 0, 1605760, 1290]
    assert_equal([entry["shape"] for entry in trace], shapes, name="the shapes")
    assert_equal([entry["params"] for entry in trace], params, name="the params")
