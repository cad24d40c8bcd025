"""Section 29k: convolution, fast."""

import numpy as np

LEADERBOARD = False  # True puts your time on the course's board


def conv2d_fast(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> np.ndarray:
    """Return the cross-correlation of images with filters, plus a bias for each filter.

    Args:
        x: images (N, C, H, W).
        w: filters (O, C / groups, kh, kw).
        b: one number for each filter, (O,).
        stride: step of the windows, from 1 on.
        padding: rows and columns of zeros around each image, from 0 on.
        dilation: distance between the taps of a filter, from 1 on.
        groups: divides C and O; filters of group g see the channels of group g only.

    Returns:
        (N, O, Ho, Wo) with Ho = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1, Wo alike. float32 for float32,
        float16 for float16 (summed in float32), float64 for float64 and whole numbers. N may be 0.

    Raises:
        ValueError: `x` or `w` has not four axes; `w` or `b` does not fit; `groups` does not divide; `stride`,
            `padding` or `dilation` is too small; `w` is larger than the padded image. The text names the argument.

    Source: Chellapilla, Puri and Simard 2006 (convolution as a matrix product).
    """
    raise NotImplementedError("section 29k: write conv2d_fast")


def conv2d_fast_backward(
    upstream: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of sum(upstream * conv2d_fast(x, w, b, ...)) for x, w and b.

    Args:
        upstream: gradient of the output, (N, O, Ho, Wo).
        x: images, as in the forward pass.
        w: filters, as in the forward pass.
        stride: as in the forward pass.
        padding: as in the forward pass.
        dilation: as in the forward pass.
        groups: as in the forward pass.

    Returns:
        (dx, dw, db) with the shapes of x, w and b; dtypes as in the forward pass.

    Raises:
        ValueError: as in the forward pass; `upstream` has not the shape of the output.
    """
    raise NotImplementedError("section 29k: write conv2d_fast_backward")
