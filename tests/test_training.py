"""Digits made unknown, digits drawn anew, and what a diagnosis may leave out."""

import sys

import numpy as np
import pytest

from nnkit.grader import course, data, drawing, subjects
from nnkit.grader.mistakes import reach
from nnkit.grader.seeds import Seeds
from nnkit.grader.student import StudentError
from nnkit.grader.training import IMAGE_SHAPES, SHAPES, Exam, Training


def test_drawn_digits_are_the_same_for_one_seed_and_can_be_told_apart():
    """Every image has ink and an empty rim; the nearest mean of its pixels names most digits"""
    images, labels = drawing.digits(600, 1)
    again, _ = drawing.digits.__wrapped__(600, 1)
    others, other_labels = drawing.digits(200, 2)

    np.testing.assert_array_equal(images, again)
    assert images.shape == (600, 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    assert set(labels) == set(range(10))
    assert (images.reshape(600, -1).max(1) > 150).all()
    assert images.mean() < 80
    means = np.stack([images[labels == digit].mean(0).ravel() for digit in range(10)])
    nearest = ((others.reshape(200, 1, -1) - means) ** 2).sum(-1).argmin(1)
    assert (nearest == other_labels).mean() > 0.6
    assert not np.array_equal(others, images[:200])


@pytest.mark.parametrize("image", [False, True])
def test_an_exam_hides_the_digits_and_keeps_them(image):
    """Pixels and names are exchanged alike for training and test; each image keeps its own ink"""
    digits = data.subset()
    exam = Exam(digits, 5, image)
    import gzip

    shown, names = data.read_idx(gzip.decompress(exam.train_images)), data.read_idx(exam.train_labels)
    images, labels = digits.train

    assert sorted(shown.sum((1, 2))) == sorted(images.sum((1, 2)))
    assert sorted(np.bincount(names)) == sorted(np.bincount(labels))
    assert not np.array_equal(shown, images)
    # a nearest-mean reader of what is shown reads the hidden test digits as it would have read the open ones
    means = np.stack([shown[names == digit].mean(0) for digit in range(10)]).reshape(10, -1) / 255

    def nearest(pixels):
        flat = pixels.reshape(len(pixels), -1) * 0.3081 + 0.1307
        return -((flat[:, None] - means) ** 2).sum(-1)

    assert exam.accuracy(nearest) > 0.75
    assert Exam(digits, 6, image).train_images != exam.train_images


def test_weights_are_known_by_their_shapes():
    """In whatever order and under whatever names they come; what is missing is said"""
    rng = np.random.default_rng(0)
    state = {f"x{k}": rng.standard_normal(shape) for k, shape in enumerate(reversed(SHAPES))}

    assert [array.shape for array in Training.layers(state, SHAPES)] == SHAPES
    images = rng.standard_normal((2, 1, 28, 28))
    assert Training.logits_of(state)(images).shape == (2, 10)
    state["x0"] = np.zeros(3)
    with pytest.raises(AssertionError, match=r"no array of shape \(10,\)"):
        Training.layers(state, SHAPES)


def test_convolutions_are_computed_as_torch_computes_them():
    """In numpy, whatever number of images there is at once; the maps are flattened channel by channel"""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(0)
    state = {
        str(k): (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        for k, shape in enumerate(IMAGE_SHAPES)
    }
    images = rng.standard_normal((130, 1, 28, 28), np.float32)
    w1, b1, w2, b2, W3, b3, W4, b4 = map(torch.from_numpy, state.values())

    found = Training.image_logits_of(state)(images)

    maps = functional.max_pool2d(functional.conv2d(torch.from_numpy(images), w1, b1, padding=1).relu(), 2)
    maps = functional.max_pool2d(functional.conv2d(maps, w2, b2, padding=1).relu(), 2)
    expected = functional.linear(functional.linear(maps.flatten(1), W3, b3).relu(), W4, b4)
    # sums of up to 3136 products in float32, of numbers near 1
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert Training.image_logits_of(state)(images[:0]).shape == (0, 10)
    del state["7"]
    with pytest.raises(AssertionError, match="must have 8 arrays"):
        Training.image_logits_of(state)


def test_only_a_part_of_dear_images_is_timed():
    """The reference's epoch is measured on the first 3000 images where they are images, else on all of them"""
    import gzip

    digits = data.subset()
    for image, timed in ((True, 3000), (False, 10_000)):
        exam = Exam(digits, 5, image)
        images, labels = exam.timed

        whole = data.read_idx(gzip.decompress(exam.train_images))
        np.testing.assert_array_equal(data.read_idx(gzip.decompress(images)), whole[:timed])
        np.testing.assert_array_equal(data.read_idx(labels), data.read_idx(exam.train_labels)[:timed])
        assert exam.timed_share == timed / 10_000


@pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")
@pytest.mark.parametrize(
    ("body", "wall_factor", "says"),
    [
        ("while True: pass", 100.0, r"The 0\.3 s of processor time for this training are used up\.$"),
        ("time.sleep(60)", 1.0, r"The 0\.3 s for this training are used up\.$"),
    ],
    ids=["processor", "wall"],
)
def test_a_training_that_runs_over_its_limit_is_told_whose_limit_it_was(
    small_course, monkeypatch, body, wall_factor, says
):
    """The sentence speaks of this training, not of the section, whose time goes on for the tests after it"""
    monkeypatch.setattr(subjects, "WALL_FACTOR", wall_factor)
    small_course.replace(small_course.exercises / "section.toml", "forbidden = ", 'imports = ["time"]\nforbidden = ')
    section = course.section("13")
    source = f"import time\n\ndef run(train_images, train_labels, epochs):\n    {body}\n"
    with subjects.makers(section, Seeds(b"test"), None) as made:
        subject = made.subject(subjects.submission(section, {"small.py": source.encode()}))

        with pytest.raises(StudentError, match=says):
            subject.training.alone(b"", b"", 1, seconds=0.3)


def test_what_a_name_comes_to():
    """Through functions, classes and constants' places; a name that is only like another one does not count"""
    source = (
        "def a(x):\n    return b(x)\n\nclass C:\n    def m(self):\n        return a(1)\n\n"
        "def b(x):\n    return x\n\ndef d():\n    return C\n\ndef e():\n    return e.b\n"
    )

    found = reach(source)

    assert found["a"] == {"a", "b"}
    assert found["d"] == {"d", "C", "a", "b"}
    assert found["e"] == {"e"}
