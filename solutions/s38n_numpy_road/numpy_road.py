"""Section 38n: the digits once more, with your own layers and no framework."""

import gzip
from itertools import pairwise

import numpy as np
from backprop import backprop
from dropout import dropout, dropout_backward
from forward import dense
from initialization import initialize
from losses import cce, cce_grad
from optimizers import Adam
from relu import relu, relu_backward

SIZES = [784, 256, 128, 10]
BATCH, DROPOUT = 64, 0.2


def read_idx(data: bytes) -> np.ndarray:
    """Return the array of an IDX file, packed by gzip or not (section 38; ready-made)."""
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def network(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers 784-256-128-10 with fresh weights."""
    seeds = np.random.SeedSequence(seed).generate_state(len(SIZES) - 1)  # each layer draws numbers of its own
    return [
        (initialize("he", n_out, n_in, int(own)).astype(np.float32), np.zeros(n_out, np.float32))
        for (n_in, n_out), own in zip(pairwise(SIZES), seeds, strict=True)
    ]


def predict(X: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the logits, without dropout."""
    for W, b in layers[:-1]:
        X = relu(dense(X, W, b))
    return dense(X, *layers[-1])


def gradients(
    X: np.ndarray,
    y: np.ndarray,
    layers: list[tuple[np.ndarray, np.ndarray]],
    p: float = 0.0,
    uniforms: list[np.ndarray] | None = None,
) -> dict:
    """Return loss and gradients, with dropout where there are uniform random numbers."""
    if uniforms is None:  # nothing that section 17 could not do
        found = backprop(X, y, layers, ["relu"] * (len(layers) - 1) + ["identity"], "cce")
        return {"loss": found["loss"], "grads": found["grads"]}
    inputs, sums = [X], []
    for (W, b), u in zip(layers[:-1], uniforms, strict=True):
        sums.append(dense(inputs[-1], W, b))
        inputs.append(dropout(relu(sums[-1]), p, u, True))
    logits = dense(inputs[-1], *layers[-1])

    delta = cce_grad(logits, y)
    grads = [(delta.T @ inputs[-1], delta.sum(axis=0))]
    for i in reversed(range(len(uniforms))):
        upstream = dropout_backward(delta @ layers[i + 1][0], p, uniforms[i], True)
        delta = relu_backward(sums[i], upstream)
        grads.append((delta.T @ inputs[i], delta.sum(axis=0)))
    return {"loss": cce(logits, y), "grads": grads[::-1]}


def make_optimizer() -> Adam:
    """Return your Adam with learning rate 0.001."""
    return Adam(lr=0.001)


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
    """Train for one epoch; return the mean loss over the samples, and the new layers."""
    rng = np.random.default_rng([seed, epoch])
    order, total = rng.permutation(len(X)), 0.0
    for k in range(0, len(X), batch_size):
        rows = order[k : k + batch_size]
        uniforms = [rng.random((len(rows), len(b)), np.float32) for _, b in layers[:-1]]
        found = gradients(X[rows], y[rows], layers, p, uniforms)
        moved = optimizer.step(_named(layers), _named(found["grads"]))
        layers = [(moved[f"W{i}"], moved[f"b{i}"]) for i in range(len(layers))]
        total += found["loss"] * len(rows)
    return total / len(X), layers


def run(train_images: bytes, train_labels: bytes, epochs: int = 5, seed: int = 0) -> dict:
    """Train from bytes to weights."""
    images, labels = read_idx(train_images), read_idx(train_labels)
    X = images.reshape(len(images), -1).astype(np.float32)
    X /= 255
    X -= 0.1307
    X /= 0.3081
    y = labels.astype(np.int64)
    layers, optimizer, history = network(seed), make_optimizer(), []
    for epoch in range(epochs):
        loss, layers = train_epoch(X, y, layers, optimizer, BATCH, seed, epoch, DROPOUT)
        history.append({"epoch": epoch + 1, "loss": loss})
        print(f"epoch {epoch + 1}/{epochs}: loss {loss:.4f}", flush=True)
    return {"history": history, "state_dict": _named(layers)}


def _named(layers: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    return {f"{name}{i}": array for i, layer in enumerate(layers) for name, array in zip("Wb", layer, strict=True)}
