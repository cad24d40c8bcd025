"""Section 29: convolution and max pooling, forwards and backwards, and the bookkeeping of a convolutional network."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def output_size(n: int, k: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many positions a window of k has on a line of n pixels."""
    if stride < 1:
        raise ValueError(f"stride is {stride}; it must be at least 1")
    room = n + 2 * padding - k  # how far the window can travel from its first position
    if room < 0:
        raise ValueError(f"a kernel of {k} does not fit into {n} pixels with padding {padding}")
    return room // stride + 1


def _windows(x: np.ndarray, kh: int, kw: int, stride: int) -> np.ndarray:
    """Return what the window sees at every position: a view of `x`, (N, C, OH, OW, kh, kw)."""
    for n, k in zip(x.shape[2:], (kh, kw), strict=True):
        output_size(n, k, stride)  # refuses what does not fit
    return sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]


def _padded_windows(x: np.ndarray, w: np.ndarray, stride: int, padding: int) -> np.ndarray:
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"x has {x.shape[1]} channels, but the filters in w have {w.shape[1]}")
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return _windows(padded, *w.shape[2:], stride)


def _refuse_other_shape(upstream: np.ndarray, shape: tuple[int, ...]) -> None:
    if upstream.shape != shape:
        raise ValueError(f"upstream has shape {upstream.shape}, but the forward pass puts out {shape}")


def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Slide every filter over every image and return the weighted sums, (N, O, OH, OW)."""
    windows = _padded_windows(x, w, stride, padding)
    # One matrix product: a row for every position, (N * OH * OW, C * kh * kw), times a column for every filter.
    out = np.tensordot(windows, w, axes=((1, 4, 5), (1, 2, 3))) + b
    return np.moveaxis(out, 3, 1)


def conv2d_backward(
    upstream: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dL/dx, dL/dw and dL/db from upstream = dL/d conv2d(x, w, b)."""
    windows = _padded_windows(x, w, stride, padding)
    (n, channels, oh, ow), (kh, kw) = windows.shape[:4], w.shape[2:]
    _refuse_other_shape(upstream, (n, len(w), oh, ow))

    # A weight has met one pixel at every position of every image.
    dw = np.tensordot(upstream, windows, axes=((0, 2, 3), (0, 2, 3)))
    db = upstream.sum(axis=(0, 2, 3))

    # A pixel has met many weights. Entry (i, j) of the kernel has seen every stride-th pixel from (i, j) on.
    height, width = x.shape[2:]
    dx = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), upstream.dtype)
    for i, j in np.ndindex(kh, kw):
        share = np.tensordot(upstream, w[:, :, i, j], axes=(1, 0))  # (N, OH, OW, C)
        dx[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += np.moveaxis(share, 3, 1)
    return dx[:, :, padding : padding + height, padding : padding + width], dw, db


def max_pool2d(x: np.ndarray, k: int, stride: int) -> np.ndarray:
    """Return the largest entry of every k x k window, (N, C, OH, OW)."""
    return _windows(x, k, k, stride).max(axis=(4, 5)) + 0.0  # ints become float64, floats stay what they are


def max_pool2d_backward(upstream: np.ndarray, x: np.ndarray, k: int, stride: int) -> np.ndarray:
    """Return dL/dx from upstream = dL/d max_pool2d(x): the first maximum of a window gets all of its gradient."""
    windows = _windows(x, k, k, stride)
    n, channels, oh, ow = shape = windows.shape[:4]
    _refuse_other_shape(upstream, shape)

    first = windows.reshape(*shape, k * k).argmax(axis=4)  # argmax finds the first
    rows = first // k + stride * np.arange(oh)[:, None]
    columns = first % k + stride * np.arange(ow)
    images, maps = np.ogrid[:n, :channels]
    dx = np.zeros(x.shape, upstream.dtype)
    # Windows that overlap can share a maximum: add.at adds for each of them, where += would keep one.
    np.add.at(dx, (images[..., None, None], maps[..., None, None], rows, columns), upstream)
    return dx


def trace_cnn(input_shape: tuple[int, int, int], specs: list[dict]) -> list[dict]:
    """Return the shape after every layer and the number of its parameters."""
    shape: tuple[int, ...] = tuple(input_shape)
    trace = []
    for spec in specs:
        kind, params = spec["kind"], 0
        if kind in ("conv", "pool") and len(shape) != 3:
            raise ValueError(f"{kind} needs an image, but what arrives has shape {shape}")
        if kind == "conv":
            params = spec["filters"] * (shape[0] * spec["kernel"] ** 2 + 1)  # + 1: the bias of the filter
            sides = (output_size(n, spec["kernel"], spec["stride"], spec["padding"]) for n in shape[1:])
            shape = (spec["filters"], *sides)
        elif kind == "pool":
            shape = (shape[0], *(output_size(n, spec["kernel"], spec["stride"]) for n in shape[1:]))
        elif kind == "flatten":
            shape = (math.prod(shape),)
        elif kind == "dense":
            if len(shape) != 1:
                raise ValueError(f"dense needs a vector, but what arrives has shape {shape}: flatten it first")
            params = spec["units"] * (shape[0] + 1)
            shape = (spec["units"],)
        elif kind != "relu":
            raise ValueError(f"there is no layer of the kind {kind}")
        trace.append({"shape": shape, "params": params})
    return trace
