"""All weights in one vector, which Adam moves as a single parameter; tapes of closures for the way back."""

import gzip
from functools import partial

import numpy as np
from dropout import dropout, dropout_backward
from forward import dense
from initialization import initialize
from losses import cce, cce_grad
from optimizers import Adam
from relu import relu, relu_backward

SHAPES = ((256, 784), (128, 256), (10, 128))


def read_idx(data):
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def flat(layers):
    return np.concatenate([array.ravel() for layer in layers for array in layer])


def shaped(vector, like):
    layers, place = [], 0
    for W, b in like:
        middle, end = place + W.size, place + W.size + b.size
        layers.append((vector[place:middle].reshape(W.shape), vector[middle:end]))
        place = end
    return layers


def network(seed):
    own = [1000 * (seed + 1) + place for place in range(len(SHAPES))]
    return [
        (np.asarray(initialize("he", *shape, start), dtype=np.float32), np.zeros(shape[0], dtype=np.float32))
        for shape, start in zip(SHAPES, own, strict=True)
    ]


def predict(X, layers):
    *hidden, last = layers
    for layer in hidden:
        X = relu(dense(X, *layer))
    return dense(X, *last)


def gradients(X, y, layers, p=0.0, uniforms=None):
    tape, grads = [], [None] * len(layers)

    def through_dense(place, inputs, upstream):
        grads[place] = (upstream.T @ inputs, np.ones(len(upstream), upstream.dtype) @ upstream)
        return upstream @ layers[place][0]

    for place, (W, b) in enumerate(layers):
        tape.append(partial(through_dense, place, X))
        X = dense(X, W, b)
        if place == len(layers) - 1:
            break
        tape.append(partial(relu_backward, X))
        X = relu(X)
        if uniforms is not None:
            tape.append(partial(dropout_backward, p=p, u=uniforms[place], training=True))
            X = dropout(X, p, uniforms[place], training=True)
    upstream = cce_grad(X, y)
    while tape:
        upstream = tape.pop()(upstream)
    return {"loss": cce(X, y), "grads": grads}


def make_optimizer():
    return Adam()


def train_epoch(X, y, layers, optimizer, batch_size, seed, epoch, p):
    order_rng, dropout_rng = np.random.default_rng([seed, epoch, 1]), np.random.default_rng([seed, epoch, 2])
    order = order_rng.random(len(X)).argsort()
    widths, vector, total = [len(b) for _, b in layers[:-1]], flat(layers), 0.0
    for rows in np.split(order, np.arange(batch_size, len(X), batch_size)):
        now = shaped(vector, layers)
        uniforms = [dropout_rng.random((len(rows), width), dtype=np.float32) for width in widths]
        found = gradients(np.take(X, rows, 0), np.take(y, rows), now, p, uniforms)
        vector = optimizer.step({"all": vector}, {"all": flat(found["grads"])})["all"]
        total += len(rows) / len(X) * found["loss"]
    return total, shaped(vector, layers)


def run(train_images, train_labels, epochs=5, seed=0):
    images, y = read_idx(train_images), read_idx(train_labels).astype("int64")
    X = np.subtract(images.reshape(len(y), -1), 255 * 0.1307, dtype=np.float32) / np.float32(255 * 0.3081)
    layers, optimizer, losses = network(seed), make_optimizer(), []
    for epoch in range(epochs):
        loss, layers = train_epoch(X, y, layers, optimizer, 64, seed, epoch, 0.2)
        losses.append(loss)
        print(f"epoch {epoch + 1}/{epochs}: loss {loss:.4f}")
    return {
        "state_dict": {
            f"{kind}{n}": array for n, pair in enumerate(layers) for kind, array in zip("Wb", pair, strict=True)
        },
        "history": [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses, start=1)],
    }
