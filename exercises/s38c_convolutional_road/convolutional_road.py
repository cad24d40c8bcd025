"""Section 38c: the digits once more, with convolutions.

Images are float32 tensors (N, 1, H, W), labels int64 tensors (N,). read_idx, normalise and batches are ready-made. The
network is the picture of section 29 with a second pooling: 28x28 - 32 - pool - 64 - pool - flatten - 128 - 10.
"""

import gzip

import numpy as np
import torch
from torch import nn

PAPER = -0.1307 / 0.3081  # what normalise makes of a pixel of 0


def read_idx(data: bytes) -> np.ndarray:
    """Return the array of an IDX file, packed by gzip or not (section 38; ready-made)."""
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def normalise(images: np.ndarray) -> torch.Tensor:
    """Return (x/255 - 0.1307) / 0.3081 of bytes (N, H, W) as a float32 tensor (N, 1, H, W) (section 38; ready-made)."""
    return torch.from_numpy(images.astype(np.float32)).div_(255).sub_(0.1307).div_(0.3081).unsqueeze(1)


def batches(n: int, batch_size: int, seed: int, epoch: int) -> list[torch.Tensor]:
    """Return the shuffled indices of one epoch, batch by batch, the last one smaller (section 20; ready-made)."""
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return list(torch.from_numpy(order).split(batch_size))


def build_model(seed: int, filters: tuple[int, ...] = (32, 64), units: int = 128, side: int = 28) -> nn.Module:
    """Return the network with fresh weights, as torch's layers draw them.

    For each number in filters: a convolution of 3 x 3 with that many filters and a border of one zero, ReLU, and a
    pooling that keeps the maximum of 2 x 2 pixels and halves the side, rounded down. Then all that is left as one row,
    channel by channel, a dense layer with ReLU, and a dense layer to 10 logits.

    Args:
        seed: the same seed gives the same weights, another one others. torch's global generator stays as it was.
        filters: of each convolution.
        units: of the hidden dense layer.
        side: pixels along each side of the images.

    Returns:
        A module that takes (N, 1, side, side) and returns (N, 10). Its parameters are the weights and biases of these
        layers, with weights (filters, channels, 3, 3) and (n_out, n_in): 421,642 numbers by default.

    Raises:
        ValueError: the side is so small that nothing is left of it; the text says side.

    Source: section 29, "CNN Architecture"; LeCun and others 1998.
    """
    raise NotImplementedError("section 38c: write build_model")


def cost(filters: tuple[int, ...] = (32, 64), units: int = 128, side: int = 28) -> list[dict]:
    """Count what the network of build_model has and what it does.

    Args:
        filters: as in build_model.
        units: as in build_model.
        side: as in build_model.

    Returns:
        For every layer with weights, in order, {"parameters": its weights and biases, "products": multiplications of a
        weight with a number that one image takes in it, those with zeros of the border included}; ints.
    """
    raise NotImplementedError("section 38c: write cost")


def shifted(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Move every image by its own number of pixels. What comes in from outside is PAPER, what leaves is lost.

    Args:
        images: (N, C, H, W), any floating-point dtype.
        down: int64 (N,), pixels towards the bottom; negative ones go up. May be larger than the image.
        right: int64 (N,), pixels to the right; negative ones go left.

    Returns:
        (N, C, H, W) in the dtype of images, as a new tensor.

    Raises:
        ValueError: there is not one number for each image; the text says down or right.
    """
    raise NotImplementedError("section 38c: write shifted")


def train_epoch(
    model: nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    seed: int,
    epoch: int,
    shift: int = 0,
) -> float:
    """Train for one epoch with cross-entropy, one step of the optimizer for each batch, on images that are moved.

    The batches are those of batches(len(X), batch_size, seed, epoch), in their order. Each image of each batch is moved
    down and right by whole numbers from -shift to shift, all equally likely, drawn for each image and each direction.
    They depend on seed and epoch alone, and no global random state is touched. The model ends in training mode.

    Args:
        model: takes X[rows], returns logits (len(rows), classes).
        X: images, (N, 1, H, W). With a shift of 0 any samples (N, ...) will do.
        y: labels, (N,), int64.
        optimizer: over the parameters of the model.
        batch_size: as in batches.
        seed: as in batches.
        epoch: as in batches.
        shift: how many pixels at most; 0 leaves the images as they are.

    Returns:
        The mean of the losses of all N samples, each as it was when its batch was trained on; a float.

    Source: sections 20 and 38; Simard, Steinkraus and Platt 2003 (moved images).
    """
    raise NotImplementedError("section 38c: write train_epoch")


def predict(model: nn.Module, X: torch.Tensor, batch_size: int = 500) -> np.ndarray:
    """Return the logits of all samples, in evaluation mode and without gradients.

    Args:
        model: takes (n, ...), returns (n, classes). It comes back in the mode, training or not, it was in.
        X: samples, (N, ...), N at least 1.
        batch_size: how many samples the model gets at once; changes nothing but memory and time.

    Returns:
        A numpy array (N, classes).
    """
    raise NotImplementedError("section 38c: write predict")


def feature_maps(model: nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    """Return what a network sees on the way: the output of each of its poolings.

    Args:
        model: of build_model.
        images: (N, 1, side, side).

    Returns:
        One numpy array a convolution, (N, its filters, half of the side before, the same), in order.
    """
    raise NotImplementedError("section 38c: write feature_maps")


def run(
    train_images: bytes, train_labels: bytes, epochs: int = 2, seed: int = 0, validation: int = 0, shift: int = 0
) -> dict:
    """Train the network of build_model, for images of this side, in batches of 64 with Adam, lr 0.001.

    One optimizer for all epochs; train_epoch for the epochs 0, 1, 2, ... with this seed and shift. Prints one line an
    epoch: `epoch 2/3: loss 0.0431`, and with validation `epoch 2/3: loss 0.0431, validation accuracy 0.9871`; all with
    four digits behind the point.

    Args:
        train_images: an IDX file of three axes, square images of any side that build_model takes.
        train_labels: an IDX file of one axis.
        epochs: how many.
        seed: of weights, order and moves. All global random states stay as they were.
        validation: how many images, the last ones, are held out: not trained on, but read after every epoch.
        shift: as in train_epoch.

    Returns:
        "history": a list with one dict an epoch, {"epoch": counted from 1, "loss": what train_epoch returned} and, with
        validation, "validation_accuracy", a share from 0 to 1. "state_dict": the weights as float32 numpy arrays, by
        their names in model.state_dict().

    Raises:
        ValueError: there are not as many labels as images, or validation is negative or leaves no image to train on; the
            text says train_labels or validation.
    """
    raise NotImplementedError("section 38c: write run")
