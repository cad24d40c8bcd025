"""Another correct solution of section 29: products of Fourier transforms, pooling by sorting, layers as a table."""

import numpy as np


def output_size(n: int, k: int, stride: int = 1, padding: int = 0) -> int:
    if stride <= 0:
        raise ValueError("stride: at least 1")
    if n + 2 * padding < k:
        raise ValueError("kernel: too large for the image")
    return -(-(n + 2 * padding - k + 1) // stride)


def _correlated(images, kernels, axes):
    """All places at which a kernel fits, of sums of products found by multiplying transforms."""
    size = images.shape[2:]
    spectra = np.fft.rfft2(images.astype(np.float64)), np.conj(np.fft.rfft2(kernels.astype(np.float64), s=size))
    product = np.einsum(axes, *spectra, optimize=True)
    fits = [n - k + 1 for n, k in zip(size, kernels.shape[2:], strict=True)]
    return np.fft.irfft2(product, s=size)[:, :, : fits[0], : fits[1]]


def _enlarged(x, padding):
    return np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])


def _shape(x, w, stride, padding):
    if x.shape[1] != w.shape[1]:
        raise ValueError("channels: x and w must have the same number of them")
    return len(x), len(w), *(output_size(x.shape[a], w.shape[a], stride, padding) for a in (2, 3))


def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    _shape(x, w, stride, padding)
    everywhere = _correlated(_enlarged(x, padding), w, "nchw,ochw->nohw")
    out = everywhere[:, :, ::stride, ::stride] + b.astype(np.float64)[:, None, None]
    return out.astype(np.result_type(x, w, b))


def conv2d_backward(
    upstream: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if upstream.shape != _shape(x, w, stride, padding):
        raise ValueError("upstream: not the shape of the result")
    kh, kw = w.shape[2:]
    large = _enlarged(x, padding)
    # As if the stride were 1, with a gradient of 0 at the places that were skipped.
    places = np.zeros((len(x), len(w), large.shape[2] - kh + 1, large.shape[3] - kw + 1))
    places[:, :, ::stride, ::stride] = upstream
    dw = _correlated(large, places, "nchw,nohw->ochw")
    around = np.pad(places, [(0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)])
    dlarge = _correlated(around, w[:, :, ::-1, ::-1], "nohw,ochw->nchw")
    dx = dlarge[:, :, padding:, padding:][:, :, : x.shape[2], : x.shape[3]]
    return dx.astype(upstream.dtype), dw.astype(upstream.dtype), upstream.sum((0, 2, 3))


def _sorted_windows(x, k, stride):
    """Values of every window, largest first, and their places in the flattened image."""
    numbers = np.arange(x.shape[2] * x.shape[3]).reshape(x.shape[2:])
    oh, ow = (output_size(n, k, stride) for n in x.shape[2:])
    starts = numbers[: stride * oh : stride, : stride * ow : stride]
    places = starts[:, :, None] + numbers[:k, :k].ravel()  # (OH, OW, k * k)
    values = x.reshape(*x.shape[:2], -1)[:, :, places]
    order = np.argsort(
        -values.astype(np.float64), axis=-1, kind="stable"
    )  # stable: ties stay in the order of the window
    return np.take_along_axis(values, order, -1), np.take_along_axis(places + 0 * order, order, -1)


def max_pool2d(x: np.ndarray, k: int, stride: int) -> np.ndarray:
    return _sorted_windows(x, k, stride)[0][..., 0] * 1.0


def max_pool2d_backward(upstream: np.ndarray, x: np.ndarray, k: int, stride: int) -> np.ndarray:
    winners = _sorted_windows(x, k, stride)[1][..., 0]
    if winners.shape != upstream.shape:
        raise ValueError("upstream: not the shape of the result")
    n, c, height, width = x.shape
    pixels = height * width
    everywhere = winners + pixels * np.arange(n * c).reshape(n, c, 1, 1)
    sums = np.bincount(everywhere.ravel(), upstream.ravel(), minlength=n * c * pixels)
    return sums.reshape(x.shape).astype(upstream.dtype)


LAYERS = {  # shape before -> shape after, parameters
    "conv": lambda spec, c, *sides: (
        (
            spec["filters"],
            *(output_size(n, spec["kernel"], spec["stride"], spec["padding"]) for n in sides),
        ),
        spec["filters"] + spec["filters"] * c * spec["kernel"] ** 2,
    ),
    "pool": lambda spec, c, *sides: ((c, *(output_size(n, spec["kernel"], spec["stride"]) for n in sides)), 0),
    "relu": lambda _, *shape: (shape, 0),
    "flatten": lambda _, *shape: ((int(np.prod(shape)),), 0),
    "dense": lambda spec, width: ((spec["units"],), spec["units"] + spec["units"] * width),
}
RANKS = {"conv": 3, "pool": 3, "dense": 1}


def trace_cnn(input_shape: tuple[int, int, int], specs: list[dict]) -> list[dict]:
    if not specs:
        return []
    spec, *rest = specs
    kind = spec["kind"]
    if kind not in LAYERS or RANKS.get(kind, len(input_shape)) != len(input_shape):
        raise ValueError(f"specs: no place for {kind} here")
    shape, params = LAYERS[kind](spec, *input_shape)
    return [{"shape": shape, "params": params}, *trace_cnn(shape, rest)]
