"""Section 38n: the digits once more, with your own layers and no framework.

Your files of sections 13, 15, 16, 17, 23, 25 and 26 lie in their own folders and are imported by name. read_idx is
ready-made. A network is a list of (W, b), W (n_out, n_in), with a ReLU between layers; X is (N, D), labels are int64 (N,).
"""

import gzip

import numpy as np
from backprop import backprop  # noqa: F401
from dropout import dropout, dropout_backward  # noqa: F401
from forward import dense  # noqa: F401
from initialization import initialize  # noqa: F401
from losses import cce, cce_grad  # noqa: F401
from optimizers import Adam
from relu import relu, relu_backward  # noqa: F401


def read_idx(data: bytes) -> np.ndarray:
    """Return the array of an IDX file, packed by gzip or not (section 38; ready-made)."""
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def network(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers 784-256-128-10: weights of the kind "he" by your initialize, made float32, and biases 0, float32.

    Args:
        seed: the same seed gives the same weights, another one others; no global random state is touched. Each layer has
            random numbers of its own: what it draws has nothing to do with what the others draw.
    """
    raise NotImplementedError("section 38n: write network")


def predict(X: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the logits (N, classes), without dropout, in the dtype of the weights."""
    raise NotImplementedError("section 38n: write predict")


def gradients(
    X: np.ndarray,
    y: np.ndarray,
    layers: list[tuple[np.ndarray, np.ndarray]],
    p: float = 0.0,
    uniforms: list[np.ndarray] | None = None,
) -> dict:
    """Return the mean cross-entropy and its gradients, in training.

    Args:
        X: samples, (N, D).
        y: labels, (N,), int64.
        layers: the network.
        p: probability to drop.
        uniforms: for each hidden layer the random numbers, (N, n_out), by which your dropout drops behind its ReLU; None:
            no dropout.

    Returns:
        "loss": a float, and "grads": [(dW, db), ...] in the order, shapes and dtype of `layers`.

    Source: sections 16, 17 and 23.
    """
    raise NotImplementedError("section 38n: write gradients")


def make_optimizer() -> Adam:
    """Return your Adam of section 26 with learning rate 0.001."""
    raise NotImplementedError("section 38n: write make_optimizer")


def train_epoch(
    X: np.ndarray,
    y: np.ndarray,
    layers: list[tuple[np.ndarray, np.ndarray]],
    optimizer: Adam,
    batch_size: int,
    seed: int,
    epoch: int,
    p: float,
) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
    """Train for one epoch: shuffled batches, fresh random numbers for every batch and hidden layer, one step each.

    Args:
        X: samples, (N, D).
        y: labels, (N,), int64.
        layers: the network; it stays as it is.
        optimizer: your Adam; it goes on from where it is.
        batch_size: of every batch but the last, which takes what is left.
        seed: order and dropout depend on seed and epoch, and on nothing else.
        epoch: counted from 0.
        p: probability to drop a hidden unit, from 0 to less than 1.

    Returns:
        The mean of the losses of all samples, as they were when their batch was trained on, and the new layers.
    """
    raise NotImplementedError("section 38n: write train_epoch")


def run(train_images: bytes, train_labels: bytes, epochs: int = 5, seed: int = 0) -> dict:
    """Train the network of section 38 in batches of 64 with dropout 0.2, from the bytes of two IDX files to weights.

    Pixels become (x/255 - 0.1307) / 0.3081, in float32. Then it is network(seed), one optimizer, and train_epoch for the
    epochs 0, 1, 2, ... with this seed. Prints one line an epoch, `epoch 3/5: loss 0.0931`, counted from 1.

    Returns:
        "history": a list of {"epoch": counted from 1, "loss": of train_epoch}, and "state_dict": the six weights and
        biases, float32, under names of your choice.
    """
    raise NotImplementedError("section 38n: write run")
