"""Section 38: from the bytes of MNIST to a network that is trained, measured and saved. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_equal, assert_refuses, assert_shape, is_tensor, tensor

# Two images of 2 x 3 pixels, as an IDX file: type 8, three axes, the sizes 2, 2, 3, and twelve bytes.
TWO_IMAGES = bytes.fromhex("0000 0803 00000002 00000002 00000003 000102 030405 060708 090aff")


def as_idx(array):
    """The bytes of an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def stripes(rng, n):
    """Digits that are easy to tell apart: digit k is a bright stripe at height 2k + 4, in noise."""
    labels = rng.integers(0, 10, n)
    images = rng.integers(0, 40, (n, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] += 200
    return images.astype(np.uint8), labels.astype(np.uint8)


def test_two_images(student):
    """A file with two images of 2 x 3 pixels becomes an array (2, 2, 3), and a file that lacks a byte is refused"""
    expected = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255], np.uint8).reshape(2, 2, 3)

    assert_equal(student.read_idx(TWO_IMAGES), expected)
    assert_refuses(student.read_idx, TWO_IMAGES[:-1], naming="data")


def test_black_and_white(student):
    """A pixel of 0 becomes -0.4242, one of 255 becomes 2.8215, and a channel axis is put in"""
    found = student.normalise(np.array([[[0, 255]]], np.uint8))

    assert is_tensor(found), "normalise returns a tensor"
    assert_shape(found, (1, 1, 1, 2))
    # the two numbers are rounded to four digits
    assert_close(found, np.array([[[[-0.4242, 2.8215]]]], np.float32), atol=6e-5)


def test_four_batches(student):
    """Ten samples in batches of three are four batches, in order or shuffled"""
    in_order = student.batches(10, 3, False, 0, 0)
    shuffled = student.batches(10, 3, True, 0, 0)

    assert_equal(in_order, [np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([6, 7, 8]), np.array([9])])
    assert [len(rows) for rows in shuffled] == [3, 3, 3, 1]
    assert_equal(np.sort(np.concatenate(shuffled)), np.arange(10), name="the indices, sorted")


def test_parameters(student):
    """The network has 235,146 parameters: 784 to 256, 256 to 128, 128 to 10, each with its biases"""
    shapes = [shape for _, shape in student.tools.shapes_of(student.build_model(0))]

    assert shapes == [[256, 784], [256], [128, 256], [128], [10, 128], [10]]
    assert sum(int(np.prod(shape)) for shape in shapes) == 235_146


def test_a_batch_can_be_learned_by_heart(student):
    """32 random images with random labels are learned by heart in 30 steps: the loss falls below 0.1"""
    rng = np.random.default_rng(38)
    X, y = tensor(rng.standard_normal((32, 1, 28, 28), np.float32)), tensor(rng.integers(0, 10, 32))
    model = student.build_model(0)
    optimizer = student.make_optimizer(model)

    losses = [student.train_epoch(model, X, y, optimizer, 32, 0, epoch) for epoch in range(30)]

    assert losses[-1] < 0.1, f"after 30 steps the loss is {losses[-1]:.3f}; it began with {losses[0]:.3f}"


def test_confusion(student):
    """Each row of the confusion matrix sums to how often its digit occurs, and measuring twice gives the same"""
    rng = np.random.default_rng(0)
    net = student.tools.network_of([4, 6, 10], dropout=0.5)
    X, y = tensor(rng.standard_normal((12, 4))), np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9])

    first = student.evaluate(net, X, tensor(y), batch_size=5)

    assert_equal(np.asarray(first["confusion"]).sum(axis=1), np.bincount(y), name="the sums of the rows")
    assert_close(first["accuracy"], np.trace(first["confusion"]) / 12, name="accuracy")
    assert_equal(
        student.evaluate(net, X, tensor(y), batch_size=12)["confusion"], first["confusion"], name="measured again"
    )


def test_checkpoint_there_and_back(student):
    """A checkpoint puts weights, epoch and history into another model"""
    history = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    nets = [student.tools.network_of([2, 3]) for _ in range(2)]
    optimizers = [student.tools.optimizer_of(net, "Adam", lr=0.01) for net in nets]
    X, y = tensor(np.array([[1.0, 2.0], [3.0, -1.0]])), tensor(np.array([0, 2]))
    student.train_epoch(nets[0], X, y, optimizers[0], 1, 0, 0)

    data = student.save_checkpoint(nets[0], optimizers[0], 2, history)

    assert_equal(student.load_checkpoint(data, nets[1], optimizers[1]), {"epoch": 2, "history": history})
    assert_equal(nets[1].state_dict(), nets[0].state_dict(), name="the weights")


def test_three_hundred_images(student):
    """Trained on 300 easy images for three epochs, more than half of 100 others are read rightly"""
    images, labels = stripes(np.random.default_rng(1), 400)

    history = student.run(as_idx(images), as_idx(labels), epochs=3, validation=100)["history"]

    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["validation_accuracy"] > 0.5
