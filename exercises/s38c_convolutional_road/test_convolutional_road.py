"""Section 38c: the digits once more, with convolutions. Visible tests."""

import numpy as np

from nnkit.grader.compare import assert_close, assert_equal, is_tensor, tensor

PAPER = -0.1307 / 0.3081


def as_idx(array):
    """The bytes of an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def loaded(student, model, arrays):
    """The model with these weights; shapes say which is which."""
    names = {tuple(shape): name for name, shape in student.tools.shapes_of(model)}
    model.load_state_dict({names[a.shape]: tensor(a.astype(np.float32)) for a in arrays})
    return model


def test_parameters(student):
    """By default the network has 421,642 parameters, in four layers with weights"""
    shapes = [shape for _, shape in student.tools.shapes_of(student.build_model(0))]

    weights = [[32, 1, 3, 3], [64, 32, 3, 3], [128, 3136], [10, 128]]
    assert sorted(shapes) == sorted([*weights, *([shape[0]] for shape in weights)]), f"the shapes are {shapes}"


def test_a_filter_by_hand(student):
    """A filter that shows the pixel to the right makes 6, 7, 14, 15 of the image 0 to 15, and bias 1 adds 1 to each"""
    right = np.zeros((1, 1, 3, 3))
    right[0, 0, 1, 2] = 1
    zeros = [np.zeros(shape) for shape in [(2, 4), (2,), (10, 2), (10,)]]
    model = loaded(student, student.build_model(0, (1,), 2, 4), [right, np.ones(1), *zeros])
    image = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)

    [found] = student.feature_maps(model, tensor(image))

    # the window at the upper left shows 1, 2, 5 and 6; that at the right edge 3, 7 and the border's 0 twice
    assert_close(found, np.array([[[[7, 8], [15, 16]]]], np.float32), name="the feature map")


def test_cost(student):
    """The second convolution has 18,496 parameters and takes 3,612,672 products, the first dense layer 401,536 and 401,408"""
    assert_equal(student.cost()[1], {"parameters": 18_496, "products": 3_612_672}, name="the second convolution")
    assert_equal(student.cost()[2], {"parameters": 401_536, "products": 401_408}, name="the first dense layer")


def test_shifted(student):
    """Moved one down and one to the left, the image 1 2 / 3 4 keeps its 2, in the lower left corner, and paper comes in"""
    found = student.shifted(
        tensor(np.array([[[[1.0, 2.0], [3.0, 4.0]]]])), tensor(np.array([1])), tensor(np.array([-1]))
    )

    assert is_tensor(found), "shifted returns a tensor"
    assert_close(found, np.array([[[[PAPER, PAPER], [2.0, PAPER]]]]))


def test_a_batch_can_be_learned_by_heart(student):
    """12 random images with random labels are learned by heart in 20 steps: the loss falls below 0.1"""
    rng = np.random.default_rng(38)
    X, y = tensor(rng.standard_normal((12, 1, 4, 4), np.float32)), tensor(rng.integers(0, 10, 12))
    model = student.build_model(0, (8, 16), 32, 4)
    optimizer = student.tools.optimizer_of(model, "Adam", lr=0.03)

    losses = [student.train_epoch(model, X, y, optimizer, 12, 0, epoch) for epoch in range(20)]

    # 0.03 at most with the start weights of 40 seeds
    assert losses[-1] < 0.1, f"after 20 steps the loss is {losses[-1]:.3f}; it began with {losses[0]:.3f}"


def test_predictions(student):
    """predict gives an array, the same for all at once and for two at a time"""
    net = student.tools.network_of([4, 6, 3], dropout=0.5)
    X = tensor(np.random.default_rng(0).standard_normal((5, 4)))

    found = student.predict(net, X)

    assert not is_tensor(found), "predict returns a numpy array"
    # float64, summed in an order that may depend on the size of the batch
    assert_close(student.predict(net, X, 2), found, rtol=1e-9, atol=1e-12, name="two at a time")


def test_small_images(student):
    """In five epochs on 60 images of 4 x 4 the loss falls, and the share of 40 others that are read is in the history"""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 100)
    images = rng.integers(0, 60, (100, 4, 4))
    images[np.arange(100), labels] += 190

    history = student.run(as_idx(images), as_idx(labels), epochs=5, validation=40)["history"]

    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert history[4]["loss"] < history[0]["loss"], "the loss does not fall"
    assert all(0 <= row["validation_accuracy"] <= 1 for row in history), "validation_accuracy is a share from 0 to 1"
