"""Section 14: tanh and softmax."""

import numpy as np


def tanh(x: np.ndarray) -> np.ndarray:
    """Return the hyperbolic tangent of every element as a new array.

    It is accurate for every size of number: tanh(800) is 1, tanh(-800) is -1, tanh(1e-9) is 1e-9 to nine digits, and
    nothing overflows on the way. NumPy's and Python's own tanh are not allowed here.

    Args:
        x: any shape. float32 stays float32, float64 stays float64; integers and booleans give float64.

    Source: section 14.
    """
    raise NotImplementedError("section 14: write tanh")


def tanh_grad(t: np.ndarray) -> np.ndarray:
    """Return the slope of tanh at every element, computed from the output t = tanh(x), as a new array.

    Args:
        t: values of tanh, between -1 and 1, any shape; dtypes as in tanh.

    Source: section 14.
    """
    raise NotImplementedError("section 14: write tanh_grad")


def softmax(x: np.ndarray, axis: int = -1, temperature: float = 1.0) -> np.ndarray:
    """Return the softmax of x / temperature along one axis, as a new array of the same shape.

    Every slice along `axis` holds numbers from 0 to 1 with the sum 1. Nothing overflows, however large or different the
    entries are. An entry -inf gets exactly 0.

    Args:
        x: scores, one axis or more; finite numbers or -inf. float32 stays float32, float64 stays float64; integers and
            booleans give float64.
        axis: the axis along which the classes lie; negative numbers count from the end.
        temperature: greater than 0. Low sharpens, high flattens.

    Raises:
        ValueError: temperature is not greater than 0; x has no such axis; or every entry of a slice of x is -inf. The
            text names temperature, axis or x.

    Source: section 14; Bridle 1990. Temperature: Hinton, Vinyals and Dean 2015.
    """
    raise NotImplementedError("section 14: write softmax")


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the natural logarithm of softmax(x) along one axis, as a new array of the same shape.

    It is accurate where the probability itself is too small for a float: log_softmax([0, -800]) is [0, -800]. An entry
    -inf stays -inf.

    Args:
        x: scores, as in softmax, with the same dtypes.
        axis: the axis along which the classes lie.

    Raises:
        ValueError: x has no such axis, or every entry of a slice of x is -inf. The text names axis or x.

    Source: section 14; Blanchard, Higham and Higham 2021.
    """
    raise NotImplementedError("section 14: write log_softmax")


def softmax_backward(p: np.ndarray, upstream: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return dL/dx, where p = softmax(x) at temperature 1, from p and dL/dp, as a new array.

    Args:
        p: output of softmax, one axis or more, float32 or float64. The result has its shape and dtype.
        upstream: dL/dp, same shape and dtype as p.
        axis: the axis along which softmax was taken.

    Source: section 14.
    """
    raise NotImplementedError("section 14: write softmax_backward")
