"""Section 19: the largest stable learning rate, a verdict on loss curves, schedules, and a search for a good rate."""

import numpy as np


def max_stable_lr(H: np.ndarray) -> float:
    """Return the learning rate above which gradient descent leaves a bowl with this Hessian.

    Below the returned rate descent on f(w) = wᵀ H w / 2 comes to the minimum from every start; above it, it runs away.

    Args:
        H: Hessian, shape (D, D), symmetric, its largest eigenvalue greater than 0 and none below 0; float64 or ints.

    Returns:
        2 divided by the largest eigenvalue, a float.

    Source: section 19, "Too high"; LeCun and others 1998.
    """
    raise NotImplementedError("section 19: write max_stable_lr")


def judge(losses: np.ndarray) -> str:
    """Say of a loss curve whether the learning rate was 'too high', 'too low' or 'just right'.

    The first line that fits decides:
        'too high': a loss is NaN or infinite, or the last is larger than the first, or the loss rises in more than
            30 % of the T - 1 steps. A step in which it stays equal is no rise.
        'too low': the loss has fallen, from first to last, by less than 10 % of the first. One single loss is this.
        'just right': everything else.

    Args:
        losses: shape (T,), T at least 1, float64; greater than 0 where they are finite.

    Source: section 19, "Too high", "Too low", "Just right". The two percentages are this course's own.
    """
    raise NotImplementedError("section 19: write judge")


def schedule(kind: str, t: int, base: float, **p: float) -> float:
    """Return the learning rate of step t.

    Kinds and their further arguments, which are always given by name:
        'constant': base in every step.
        'step', every, factor: base, multiplied by `factor` once at t = every, once more at t = 2 every, and so on.
        'exponential', decay: base, multiplied by `decay` after every step.
        'cosine', total, min_lr: base at t = 0, down along half a cosine to min_lr at t = total, and min_lr from then on.
        'warmup_cosine', warmup, total, min_lr: rises in equal steps from base / (warmup + 1) at t = 0 to base at
            t = warmup, then goes down as 'cosine' does in the total - warmup steps that are left. With warmup = 0 it
            is 'cosine'; with warmup = total it is min_lr from t = total on.

    Args:
        kind: one of the five.
        t: steps done so far, 0 or more; it may be larger than total.
        base: the rate to start from, greater than 0. min_lr lies between 0 and base.
        **p: every, total: ints, 1 or more. warmup: int, 0 to total. factor: between 0 and 1, both excluded.
            decay: greater than 0, at most 1.

    Returns:
        A float.

    Raises:
        ValueError: t is negative; base is 0 or less; there is no such kind; factor is not between 0 and 1; warmup is
            larger than total. The text names the argument.

    Source: section 19, "schedulers"; Loshchilov and Hutter 2017 (cosine); Goyal and others 2017 (warmup).
    """
    raise NotImplementedError("section 19: write schedule")


class ReduceOnPlateau:
    """Lowers the learning rate when the loss has stopped falling.

    A loss is good if it is less than best - min_delta, `best` being the last good loss (infinite at the beginning);
    then it becomes `best`. Every other loss is bad, NaN too. As soon as there were more than `patience` bad losses in a
    row, the rate is multiplied by `factor`, but never taken below min_lr, and the bad ones are counted from 0 again.

    Args:
        lr: the rate to start with, greater than 0.
        factor: between 0 and 1, both excluded.
        patience: bad losses in a row that are put up with, 0 or more.
        min_delta: how much better a loss must be, 0 or more, in units of the loss.
        min_lr: the lowest rate, from 0 to lr.

    Raises:
        ValueError: lr is 0 or less, or factor is not between 0 and 1; the text names the argument.

    Source: section 19, "schedulers"; PyTorch's scheduler of the same name, with threshold_mode="abs".
    """

    def __init__(
        self, lr: float, factor: float = 0.1, patience: int = 2, min_delta: float = 0.0, min_lr: float = 0.0
    ) -> None:
        raise NotImplementedError("section 19: write ReduceOnPlateau")

    def step(self, loss: float) -> float:
        """Take the loss of one epoch into account and return the learning rate for the next one."""
        raise NotImplementedError("section 19: write ReduceOnPlateau.step")

    def state(self) -> dict[str, float]:
        """Return what is remembered between steps: a dict with "lr", "best" and "bad", the bad losses in a row."""
        raise NotImplementedError("section 19: write ReduceOnPlateau.state")

    def load_state(self, state: dict[str, float]) -> None:
        """Go on where the object stood that returned this state. What was seen here before is forgotten."""
        raise NotImplementedError("section 19: write ReduceOnPlateau.load_state")


def lr_range_test(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Return the learning rate at which the loss begins its steepest fall, on a logarithmic axis of rates.

    Between neighbours k and k + 1 the slope is the difference of the losses over the difference of the logarithms of the
    rates. Only those up to the smallest of all finite losses count. Of the steepest fall the left end, lrs[k], is
    returned: the more careful choice.

    Args:
        lrs: shape (K,), rates greater than 0 in ascending order, not always evenly spaced.
        losses: shape (K,), the loss at each rate; at high rates, where training broke down, also NaN or inf.

    Raises:
        ValueError: the first loss is the smallest, so that nothing falls; the text names losses.

    Source: section 19; Smith 2017, "LR range test".
    """
    raise NotImplementedError("section 19: write lr_range_test")
