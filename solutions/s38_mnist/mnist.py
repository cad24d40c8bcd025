"""Section 38: from the bytes of MNIST to a network that is trained, measured and saved."""

import gzip
import json
import math
import struct
import zlib

import numpy as np
import safetensors.torch
import torch
from torch import nn

BATCH = 64


def read_idx(data: bytes) -> np.ndarray:
    """Return the array that an IDX file holds, compressed by gzip or not."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"data is a damaged gzip file: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0":
        raise ValueError("data does not begin like an IDX file, with two zero bytes")
    code, rank = data[2], data[3]
    if code != 8:
        raise ValueError(f"data has the type code {code}; only 8, unsigned bytes, is read")
    begin = 4 + 4 * rank
    if len(data) < begin:
        raise ValueError(f"data ends within its {rank} sizes")
    sizes = struct.unpack(f">{rank}I", data[4:begin])
    if len(data) - begin != math.prod(sizes):
        raise ValueError(f"data announces the sizes {sizes}, but {len(data) - begin} bytes follow")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(sizes)


def normalise(images: np.ndarray) -> torch.Tensor:
    """Return the images as MNIST networks want them."""
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; expected uint8 (N, H, W)")
    pixels = torch.from_numpy(images.astype(np.float32))
    return pixels.div_(255).sub_(0.1307).div_(0.3081).unsqueeze(1)


def batches(n: int, batch_size: int, shuffle: bool, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of one epoch as arrays of indices."""
    if n < 1:
        raise ValueError(f"n is {n}; there must be a sample")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; a batch has at least one sample")
    order = np.random.default_rng([seed, epoch]).permutation(n) if shuffle else np.arange(n)
    return [order[k : k + batch_size] for k in range(0, n, batch_size)]


def build_model(seed: int) -> nn.Module:
    """Return the network 784-256-128-10 with fresh weights."""
    with torch.random.fork_rng(devices=[]):  # the global generator is put back at the end
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(128, 10),
        )  # fmt: skip


def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return Adam over all parameters."""
    return torch.optim.Adam(model.parameters(), lr=0.001)


def train_epoch(
    model: nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    seed: int,
    epoch: int,
) -> float:
    """Train for one epoch and return the mean loss over the samples."""
    _check_labels(X, y)
    model.train()
    total = 0.0
    with torch.random.fork_rng(devices=[]):
        # What dropout draws belongs to this epoch alone. torch.manual_seed would seed the generators of all kinds of
        # devices that there might be, and takes as long for it as a step does.
        torch.default_generator.manual_seed(seed * 1_000_003 + epoch)
        for rows in map(torch.from_numpy, batches(len(X), batch_size, True, seed, epoch)):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)  # the loss is a mean over the batch, and the last batch is smaller
    return total / len(X)


def evaluate(model: nn.Module, X: torch.Tensor, y: torch.Tensor, batch_size: int = 1000) -> dict:
    """Return loss, accuracy and confusion matrix without dropout, and leave the model as it was."""
    _check_labels(X, y)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(X[rows]) for rows in map(torch.from_numpy, batches(len(X), batch_size, False, 0, 0))])
    model.train(was_training)
    guess = logits.argmax(1)
    return {
        "loss": nn.functional.cross_entropy(logits, y).item(),
        "accuracy": (guess == y).double().mean().item(),
        "confusion": torch.bincount(10 * y + guess, minlength=100).reshape(10, 10).numpy(),
    }


def save_checkpoint(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, history: list[dict]) -> bytes:
    """Return everything that the next epoch needs, as the bytes of a safetensors file."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for i, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": value for name, value in slots.items()}
    return safetensors.torch.save(tensors, {"training": json.dumps({"epoch": epoch, "history": history})})


def load_checkpoint(data: bytes, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict:
    """Put a checkpoint's weights and moments into model and optimizer; return epoch and history."""
    try:
        tensors = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise ValueError(f"data is no safetensors file: {error}") from error
    size = int.from_bytes(data[:8], "little")
    facts = json.loads(json.loads(data[8 : 8 + size]).get("__metadata__", {}).get("training", "{}"))
    needed = {f"model.{name}" for name in model.state_dict()}
    lacking = sorted(needed - tensors.keys()) + sorted({"epoch", "history"} - facts.keys())
    if lacking:
        raise ValueError(f"data is a checkpoint without {', '.join(lacking)}")

    model.load_state_dict({name.removeprefix("model."): tensors[name] for name in needed})
    state = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, i, slot = name.split(".")
            state.setdefault(int(i), {})[slot] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return {"epoch": facts["epoch"], "history": facts["history"]}


def run(
    train_images: bytes,
    train_labels: bytes,
    epochs: int = 10,
    seed: int = 0,
    checkpoint: bytes | None = None,
    validation: int = 0,
) -> dict:
    """Train from bytes to weights, printing one line an epoch."""
    images, labels = read_idx(train_images), read_idx(train_labels)
    if len(images) != len(labels):
        raise ValueError(f"train_labels: there are {len(labels)} for {len(images)} images")
    if not 0 <= validation < len(images):
        raise ValueError(f"validation is {validation}; of {len(images)} images some must be left to train on")
    X, y = normalise(images), torch.from_numpy(labels.astype(np.int64))
    n = len(X) - validation

    model = build_model(seed)
    optimizer = make_optimizer(model)
    first, history = 0, []
    if checkpoint is not None:
        known = load_checkpoint(checkpoint, model, optimizer)
        first, history = known["epoch"], known["history"]
    for epoch in range(first, epochs):
        row = {"epoch": epoch + 1, "loss": train_epoch(model, X[:n], y[:n], optimizer, BATCH, seed, epoch)}
        line = f"epoch {epoch + 1}/{epochs}: loss {row['loss']:.4f}"
        if validation:
            seen = evaluate(model, X[n:], y[n:])
            row |= {"validation_loss": seen["loss"], "validation_accuracy": seen["accuracy"]}
            line += f", validation accuracy {seen['accuracy']:.4f}"
        history.append(row)
        print(line, flush=True)
    return {
        "history": history,
        "state_dict": {name: value.numpy().copy() for name, value in model.state_dict().items()},
        "checkpoint": save_checkpoint(model, optimizer, max(first, epochs), history),
    }


def _check_labels(X: torch.Tensor, y: torch.Tensor) -> None:
    if len(X) != len(y):
        raise ValueError(f"y has {len(y)} labels for {len(X)} samples")
