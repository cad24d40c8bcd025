"""Layer by layer in recursion; modules imported whole; no dropout is dropout with p = 0."""

import gzip
import math
from itertools import chain

import dropout
import forward
import initialization
import losses
import numpy as np
import optimizers
import relu


def read_idx(data):
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def network(seed):
    shapes = [(256, 784), (128, 256), (10, 128)]
    weights = [initialization.initialize("he", *shape, seed=3 * seed + k) for k, shape in enumerate(shapes)]
    return [(W.astype("float32"), np.zeros(len(W), dtype="float32")) for W in weights]


def predict(X, layers):
    return forward.predict(X, layers, ["relu"] * (len(layers) - 1) + ["identity"])


def go(A, y, layers, p, uniforms):
    """Loss, gradients from here on, and the gradient for A."""
    (W, b), *rest = layers
    Z = forward.dense(A, W, b)
    if rest:
        u, *others = uniforms
        loss, grads, upstream = go(dropout.dropout(relu.relu(Z), p, u, training=True), y, rest, p, others)
        upstream = relu.relu_backward(Z, dropout.dropout_backward(upstream, p, u, training=True))
    else:
        loss, grads, upstream = losses.cce(Z, y), [], losses.cce_grad(Z, y)
    return loss, [(np.einsum("no,ni->oi", upstream, A, optimize=True), upstream.sum(0)), *grads], upstream @ W


def gradients(X, y, layers, p=0.0, uniforms=None):
    if uniforms is None:
        p, uniforms = 0.0, [np.zeros((len(X), len(b))) for _, b in layers[:-1]]
    loss, grads, _ = go(X, y, layers, p, uniforms)
    return {"loss": loss, "grads": grads}


def make_optimizer():
    return optimizers.Adam()


def train_epoch(X, y, layers, optimizer, batch_size, seed, epoch, p):
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
    parts = np.array_split(rng.permutation(len(X)), range(batch_size, len(X), batch_size))
    means = []
    for rows in parts:
        uniforms = [rng.random((len(rows), b.size)) for _, b in layers[:-1]]
        found = gradients(X[rows], y[rows], layers, p, uniforms)
        flat = {str(k): array for k, array in enumerate(chain(*layers))}
        slopes = {str(k): array for k, array in enumerate(chain(*found["grads"]))}
        moved = optimizer.step(flat, slopes)
        layers = [(moved[str(k)], moved[str(k + 1)]) for k in range(0, len(moved), 2)]
        means.append(found["loss"])
    return math.fsum(mean * len(rows) for mean, rows in zip(means, parts, strict=True)) / len(X), layers


def run(train_images, train_labels, epochs=5, seed=0):
    table = ((np.arange(256) / 255 - 0.1307) / 0.3081).astype(np.float32)
    images = read_idx(train_images)
    X, y = table[images].reshape(len(images), 784), read_idx(train_labels).astype(int)
    layers, optimizer, history = network(seed), make_optimizer(), []
    for epoch in range(epochs):
        loss, layers = train_epoch(X, y, layers, optimizer, 64, seed, epoch, 0.2)
        history.append({"epoch": epoch + 1, "loss": loss})
        print(f"epoch {epoch + 1}/{epochs}: loss {loss:.4f}")
    names = ["W1", "b1", "W2", "b2", "W3", "b3"]
    return {"state_dict": dict(zip(names, chain(*layers), strict=True)), "history": history}
