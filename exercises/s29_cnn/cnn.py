"""Section 29: convolution and max pooling, forwards and backwards, and the bookkeeping of a convolutional network."""

import numpy as np


def output_size(n: int, k: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many positions a window has along one side of an image.

    Args:
        n: pixels along that side, at least 1.
        k: pixels of the window along that side, at least 1.
        stride: how far the window moves from one position to the next.
        padding: pixels that are added before the first and again after the last one, 0 or more.

    Returns:
        The number of positions at which the whole window lies inside, an int. Pixels that are left over do not count.

    Raises:
        ValueError: `stride` is below 1; the window does not fit even once (the text says kernel).

    Source: section 29; Dumoulin and Visin 2016.
    """
    raise NotImplementedError("section 29: write output_size")


def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Slide every filter over every image: the convolution of deep learning, which does not flip the kernel.

    Args:
        x: (N, C, H, W) N images of C channels; float32, float64, or ints such as pixels from 0 to 255.
        w: (O, C, kh, kw) O filters, each as deep as the images; float32 or float64.
        b: (O,) one bias per filter, same dtype as `w`.
        stride: how far a filter moves, both downwards and to the right.
        padding: pixels of value 0 that are added on each of the four sides, 0 or more.

    Returns:
        (N, O, OH, OW) as a new array, where OH and OW are the numbers of positions. float32 throughout gives float32;
        float64, and ints with float64 filters, give float64.

    Raises:
        ValueError: `x` and `w` differ in their channels (the text says channels); the kernel is larger than the padded
            image (the text says kernel); `stride` is below 1.

    Source: section 29, "Convolutional Layer"; LeCun and others 1989.
    """
    raise NotImplementedError("section 29: write conv2d")


def conv2d_backward(
    upstream: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pass a gradient backwards through conv2d.

    Args:
        upstream: dL/d conv2d(x, w, b, stride, padding), (N, O, OH, OW).
        x: (N, C, H, W), what went into conv2d, same dtype as `upstream`: float32 or float64.
        w: (O, C, kh, kw), the filters, same dtype.
        stride: as in conv2d.
        padding: as in conv2d.

    Returns:
        dL/dx of shape (N, C, H, W), dL/dw of shape (O, C, kh, kw) and dL/db of shape (O,), in the dtype of `upstream`.

    Raises:
        ValueError: as conv2d; or `upstream` has another shape than what conv2d puts out.

    Source: section 29; LeCun and others 1989.
    """
    raise NotImplementedError("section 29: write conv2d_backward")


def max_pool2d(x: np.ndarray, k: int, stride: int) -> np.ndarray:
    """Keep the largest number of every window, each channel for itself.

    Args:
        x: (N, C, H, W); float32, float64 or ints. No padding is added.
        k: height and width of the window.
        stride: how far the window moves: less than k (windows overlap), k, or more (pixels between them are skipped).

    Returns:
        (N, C, OH, OW) as a new array. float32 gives float32, everything else float64.

    Raises:
        ValueError: the window is larger than the image (the text says kernel); `stride` is below 1.

    Source: section 29, "Pooling Layer"; Weng, Ahuja and Huang 1992.
    """
    raise NotImplementedError("section 29: write max_pool2d")


def max_pool2d_backward(upstream: np.ndarray, x: np.ndarray, k: int, stride: int) -> np.ndarray:
    """Pass a gradient backwards through max_pool2d.

    Args:
        upstream: dL/d max_pool2d(x, k, stride), (N, C, OH, OW), float32 or float64.
        x: (N, C, H, W), what went into max_pool2d.
        k: as in max_pool2d.
        stride: as in max_pool2d.

    Returns:
        dL/dx, (N, C, H, W), in the dtype of `upstream`. Where a window has its maximum more than once, the first one in
        the order of reading (left to right, then the next row) gets the whole gradient.

    Raises:
        ValueError: as max_pool2d; or `upstream` has another shape than what max_pool2d puts out.

    Source: section 29, "MaxPool is most common".
    """
    raise NotImplementedError("section 29: write max_pool2d_backward")


def trace_cnn(input_shape: tuple[int, int, int], specs: list[dict]) -> list[dict]:
    """Follow the shape of one image through a network, layer by layer, and count the parameters.

    Args:
        input_shape: (C, H, W) of one image, without the number of images.
        specs: the layers in order, each a dict. All keys are always there; kernels and strides are the same both ways.
            {"kind": "conv", "filters": 32, "kernel": 3, "stride": 1, "padding": 1}
            {"kind": "pool", "kernel": 2, "stride": 2}
            {"kind": "relu"}
            {"kind": "flatten"}
            {"kind": "dense", "units": 128}

    Returns:
        For every layer {"shape": shape of what comes out, a tuple (C, H, W) or (D,), "params": its weights and biases}.

    Raises:
        ValueError: a dense layer before the data is flat, a conv or pool layer after, or a kind that is not listed (the
            text names the kind); a window that does not fit (the text says kernel).

    Source: section 29, "CNN Architecture".
    """
    raise NotImplementedError("section 29: write trace_cnn")
