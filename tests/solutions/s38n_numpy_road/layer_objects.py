"""Objects with forward and backward, as in a small framework; each keeps what its way back needs."""

import gzip

import numpy as np
from dropout import dropout, dropout_backward
from forward import dense
from initialization import initialize
from losses import cce, cce_grad
from optimizers import Adam
from relu import relu, relu_backward


def read_idx(data):
    raw = gzip.decompress(data) if data[:1] == b"\x1f" else data
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, X):
        self.X = X
        return dense(X, self.W, self.b)

    def backward(self, upstream):
        self.dW, self.db = np.dot(upstream.T, self.X), np.add.reduce(upstream)
        return np.dot(upstream, self.W)


class ReLU:
    def forward(self, X):
        self.X = X
        return relu(X)

    def backward(self, upstream):
        return relu_backward(self.X, upstream)


class Dropout:
    def __init__(self, p, u):
        self.p, self.u = p, u

    def forward(self, X):
        return dropout(X, self.p, self.u, True)

    def backward(self, upstream):
        return dropout_backward(upstream, self.p, self.u, True)


class Network:
    def __init__(self, layers, p=0.0, uniforms=None):
        self.parts = []
        for place, (W, b) in enumerate(layers):
            if place > 0:
                self.parts.append(ReLU())
                if uniforms is not None:
                    self.parts.append(Dropout(p, uniforms[place - 1]))
            self.parts.append(Dense(W, b))

    def forward(self, X):
        for part in self.parts:
            X = part.forward(X)
        return X

    def backward(self, upstream):
        for part in reversed(self.parts):
            upstream = part.backward(upstream)

    def grads(self):
        return [(part.dW, part.db) for part in self.parts if isinstance(part, Dense)]


def network(seed):
    rng = np.random.default_rng([38, seed])
    layers = []
    for n_in, n_out in [(784, 256), (256, 128), (128, 10)]:
        W = initialize("he", n_out, n_in, int(rng.integers(2**31)))
        layers.append((np.float32(W), np.zeros(n_out, np.float32)))
    return layers


def predict(X, layers):
    return Network(layers).forward(X)


def gradients(X, y, layers, p=0.0, uniforms=None):
    net = Network(layers, p, uniforms)
    logits = net.forward(X)
    net.backward(cce_grad(logits, y))
    return {"loss": cce(logits, y), "grads": net.grads()}


def make_optimizer():
    return Adam(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)


def train_epoch(X, y, layers, optimizer, batch_size, seed, epoch, p):
    rng = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    order = np.arange(len(X))
    rng.shuffle(order)
    loss_of = np.empty(len(X))
    first = 0
    while first < len(X):
        rows = order[first : first + batch_size]
        uniforms = None
        if p > 0:
            uniforms = [rng.random((len(rows), W.shape[0])) for W, _ in layers[:-1]]
        found = gradients(X[rows], y[rows], layers, p, uniforms)
        loss_of[rows] = found["loss"]
        params = {
            (place, name): array for place, layer in enumerate(layers) for name, array in zip("Wb", layer, strict=True)
        }
        slopes = {
            (place, name): array
            for place, layer in enumerate(found["grads"])
            for name, array in zip("Wb", layer, strict=True)
        }
        params = optimizer.step(params, slopes)
        layers = [(params[place, "W"], params[place, "b"]) for place in range(len(layers))]
        first += batch_size
    return float(loss_of.mean()), layers


def run(train_images, train_labels, epochs=5, seed=0):
    images = read_idx(train_images)
    X = images.reshape(-1, 28 * 28) / np.float32(255)
    X = (X - np.float32(0.1307)) / np.float32(0.3081)
    y = read_idx(train_labels).astype(np.int64)
    layers, optimizer = network(seed), make_optimizer()
    history = []
    for number in range(1, epochs + 1):
        loss, layers = train_epoch(X, y, layers, optimizer, 64, seed, number - 1, 0.2)
        history += [{"epoch": number, "loss": loss}]
        print("epoch %d/%d: loss %.4f" % (number, epochs, loss))  # noqa: UP031
    state = {}
    for number, (W, b) in enumerate(layers):
        state |= {f"layer {number} weights": W, f"layer {number} biases": b}
    return {"history": history, "state_dict": state}
