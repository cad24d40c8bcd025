"""Section 26: SGD with momentum, RMSProp, Adam and AdamW.

The four share everything but the rule by which one parameter moves: write the rest once, in Optimizer, and give each of
the four a method of your own for its rule. Only the four are tested, so another division of the work is fine too.
"""

import numpy as np


class Optimizer:
    """What the four have in common: checks, copies, and a memory for every parameter.

    Raises:
        ValueError: lr is not greater than 0; the text says lr.
    """

    def __init__(self, lr: float):
        raise NotImplementedError("section 26: write Optimizer")

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return all parameters after one step, as new arrays that share no memory with the arguments.

        A parameter is known by its name, whatever the order of the dicts. It may appear at any step; its memory and its
        count of steps begin then. A parameter without an entry in `grads` comes back unchanged, with its memory and its
        count of steps as they were.

        Args:
            params: name -> array of any shape. float32 and float64 stay what they are; integers become float64.
            grads: name -> gradient, same shape as the parameter. Names may be missing.

        Raises:
            ValueError: grads has a name that params has not, or a shape differs; the text says grads. A refused step
                changes nothing, neither in the arguments nor in the memory.
        """
        raise NotImplementedError("section 26: write Optimizer.step")

    def state(self) -> dict:
        """Return all that the optimizer remembers between steps, as plain data: dicts, lists, numbers, arrays.

        The layout is yours. Settings (lr and so on) belong to the constructor and need not be in it.
        """
        raise NotImplementedError("section 26: write Optimizer.state")

    def load_state(self, state: dict) -> None:
        """Replace the memory by one that `state()` returned; the next steps are those that would have followed there."""
        raise NotImplementedError("section 26: write Optimizer.load_state")


class SGD(Optimizer):
    """Gradient descent with optional momentum and weight decay.

    For every parameter w with gradient g, and a velocity v that starts at 0:
    g = g + weight_decay * w, then v = momentum * v + g, then w = w - lr * v.

    Args:
        lr: step size, greater than 0. The attribute `lr` may be given another value between two steps.
        momentum: share of the old velocity that is kept, in [0, 1).
        weight_decay: strength of the pull towards 0.

    Raises:
        ValueError: lr is not greater than 0, or momentum is outside [0, 1); the text names the argument.

    Source: section 26; Polyak 1964; the form with lr outside the velocity is that of torch.optim.SGD.
    """

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0):
        raise NotImplementedError("section 26: write SGD")


class RMSProp(Optimizer):
    """Every weight has its own step size: lr divided by the recent size of its gradient.

    v = alpha * v + (1 - alpha) * g**2, starting at 0, then w = w - lr * g / (sqrt(v) + eps).

    Args:
        lr: step size, greater than 0; the attribute may change between steps.
        alpha: weight of the old average, in [0, 1).
        eps: keeps the divisor above 0; added outside the root.

    Raises:
        ValueError: lr is not greater than 0, or alpha is outside [0, 1).

    Source: section 26; Tieleman and Hinton 2012, lecture 6.5.
    """

    def __init__(self, lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8):
        raise NotImplementedError("section 26: write RMSProp")


class Adam(Optimizer):
    """Momentum and an own step size for every weight, both from averages corrected for their start at 0.

    At step t = 1, 2, ... of a parameter:
    g = g + weight_decay * w, then m = beta1 * m + (1 - beta1) * g and v = beta2 * v + (1 - beta2) * g**2, both starting
    at 0, then w = w - lr * mc / (sqrt(vc) + eps) with mc = m / (1 - beta1**t) and vc = v / (1 - beta2**t).

    Args:
        lr: step size, greater than 0; the attribute may change between steps.
        betas: (beta1, beta2), both in [0, 1).
        eps: keeps the divisor above 0; added outside the root, after the correction.
        weight_decay: strength of the pull towards 0, through the gradient.

    Raises:
        ValueError: lr is not greater than 0, or one of betas is outside [0, 1).

    Source: section 26; Kingma and Ba 2015, algorithm 1.
    """

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        raise NotImplementedError("section 26: write Adam")


class AdamW(Adam):
    """Adam with decoupled weight decay: w = w - lr * weight_decay * w, then Adam's step with the plain gradient.

    Args:
        lr, betas, eps: as in Adam.
        weight_decay: strength of the pull towards 0, on the weight itself.

    Raises:
        ValueError: lr is not greater than 0, or one of betas is outside [0, 1).

    Source: section 26; Loshchilov and Hutter 2019, with the decay scaled by lr as in torch.optim.AdamW.
    """

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        raise NotImplementedError("section 26: write AdamW")
