"""Section 23: dropout, forwards and backwards, with the scaling in training or, as it was first done, at test time."""

import numpy as np


def dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    """Return inverted dropout of x, as a new array.

    In training a number is dropped, which means set to 0, where its u is less than p; what survives is scaled so that
    the mean over all masks is x. At test time nothing is dropped and nothing scaled.

    Args:
        x: what a layer puts out, any shape, also () and empty. float32, float64, ints or bools.
        p: probability to drop, a plain float, from 0 (nothing is dropped) to less than 1.
        u: uniform random numbers from [0, 1), same shape as `x`, float32 or float64: one for each number of `x`. Where
            u is exactly p, the number is kept.
        training: True in training, False at test time.

    Returns:
        Same shape as `x`. float32 gives float32, whatever `u` is; everything else gives float64, in both modes.

    Raises:
        ValueError: in both modes: `p` is less than 0, or 1 or more; `u` has another shape than `x`, even if numpy
            could stretch it. The text names the argument.

    Source: section 23; Srivastava et al. 2014, section 10 (where p is the probability to keep).
    """
    raise NotImplementedError("section 23: write dropout")


def dropout_backward(upstream: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    """Pass a gradient backwards through dropout.

    Args:
        upstream: dL/d dropout(x, p, u, training), any shape, float32 or float64.
        p: as it was on the way forward.
        u: the same numbers as on the way forward, same shape as `upstream`.
        training: as it was on the way forward.

    Returns:
        dL/dx as a new array, same shape and dtype as `upstream`.

    Raises:
        ValueError: as for dropout; the text names `p` or `u`.

    Source: section 23.
    """
    raise NotImplementedError("section 23: write dropout_backward")


def dropout_seeded(x: np.ndarray, p: float, seed: int) -> np.ndarray:
    """Return inverted dropout of x in training, with uniform random numbers of its own, as a new array.

    Every number of `x` is dropped or kept by itself, independently of all others.

    Args:
        x: as for dropout.
        p: as for dropout.
        seed: 0 or more. The same seed gives the same result, another one drops others. No global random state is used.

    Returns:
        Same shape as `x`; dtypes as for dropout.

    Raises:
        ValueError: `p` is less than 0, or 1 or more; the text names it.

    Source: section 23.
    """
    raise NotImplementedError("section 23: write dropout_seeded")


def classic_dropout(x: np.ndarray, p: float, u: np.ndarray, training: bool) -> np.ndarray:
    """Return dropout as it was first published: nothing is scaled in training, all units are scaled at test time.

    Args:
        x: as for dropout.
        p: as for dropout: here too the probability to drop.
        u: as for dropout: a number is dropped where u is less than p.
        training: True in training, False at test time.

    Returns:
        A new array, same shape as `x`; dtypes as for dropout. At test time it is the mean of the results of training
        over all masks.

    Raises:
        ValueError: as for dropout; the text names `p` or `u`.

    Source: section 23, "During testing"; Hinton et al. 2012, Srivastava et al. 2014.
    """
    raise NotImplementedError("section 23: write classic_dropout")


def count_subnetworks(n_units: int) -> int:
    """Return how many different networks dropout can leave over of n_units units, that without any unit included.

    Args:
        n_units: 0 or more; the result is exact also for hundreds of units.

    Returns:
        An int.

    Source: section 23; Srivastava et al. 2014, section 1.
    """
    raise NotImplementedError("section 23: write count_subnetworks")
