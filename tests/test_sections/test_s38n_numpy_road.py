"""Section 38n's reference, put together from the references of the sections it uses, against differences and torch."""

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader import course, data, grading, local, session
from nnkit.grader.errors import WorkspaceError
from nnkit.grader.exchange.plain import Submission
from nnkit.grader.seeds import Seeds
from nnkit.grader.subjects import makers, with_used

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reference(monkeypatch):
    """The reference, imported beside those of the sections it uses."""
    section = course.section("38n")
    for each in (*course.used(section), section):
        spec = importlib.util.spec_from_file_location(each.slug, each.reference)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, each.slug, module)
        spec.loader.exec_module(module)
    return module


def drawn(seed, n, sizes):
    rng = np.random.default_rng(seed)
    layers = [(rng.standard_normal((o, i)) / 2, rng.standard_normal(o)) for i, o in pairwise(sizes)]
    uniforms = [rng.random((n, o)) for o in sizes[1:-1]]
    return rng.standard_normal((n, sizes[0])), rng.integers(0, sizes[-1], n), layers, uniforms


def test_gradients(reference):
    """With dropout they are the central differences of the loss"""
    X, y, layers, uniforms = drawn(38, 5, [4, 6, 5, 3])
    found = reference.gradients(X, y, layers, 0.3, uniforms)

    for i, layer in enumerate(layers):
        for j, array in enumerate(layer):
            for index in np.ndindex(array.shape):
                sides = []
                for h in (1e-6, -1e-6):
                    moved = [list(map(np.copy, pair)) for pair in layers]
                    moved[i][j][index] += h
                    sides.append(reference.gradients(X, y, moved, 0.3, uniforms)["loss"])
                assert found["grads"][i][j][index] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_the_same_as_torch(reference):
    """Without dropout loss and gradients are torch's"""
    torch = pytest.importorskip("torch")
    X, y, layers, _ = drawn(39, 7, [4, 6, 3])
    tensors = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in layers]
    A = torch.tensor(X)
    for k, (W, b) in enumerate(tensors):
        A = A @ W.T + b
        A = torch.relu(A) if k < len(tensors) - 1 else A
    loss = torch.nn.functional.cross_entropy(A, torch.tensor(y))
    loss.backward()

    found = reference.gradients(X, y, layers)

    assert found["loss"] == pytest.approx(loss.item(), rel=1e-12)
    for mine, theirs in zip(found["grads"], tensors, strict=True):
        for array, tensor in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(array, tensor.grad.numpy(), rtol=1e-10, atol=1e-14)


def outcomes(source, digits, keyword=""):
    section, found = course.section("38n"), []
    with makers(section, Seeds(b"others"), None, diagnosing=False) as made:
        made.digits = lambda: digits
        visit = session.Visit(made.subject(with_used(section, source)), heard=lambda it: found.append(it) is None)
        suites = [section.visible_suite, section.hidden_suite]
        session.run(suites, [visit], points=section.points, keyword=keyword)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("style", ["recursive", "layer_objects", "one_vector"])
def test_other_solutions(style):
    """Correct code written in another way gets all points, the real run included"""
    source = (ROOT / "tests" / "solutions" / "s38n_numpy_road" / f"{style}.py").read_bytes()

    found = outcomes(source, data.subset())

    assert {(outcome.name, outcome.message) for outcome in found if outcome.status != "passed"} == set()
    assert sum(outcome.score for outcome in found) == pytest.approx(20.0)


@pytest.mark.full_data
def test_full_data():
    """The reference reaches 97 % on the full set without torch"""
    digits = data.find()
    assert digits.full, "run `nnkit fetch-data mnist` first"

    [outcome] = outcomes(course.section("38n").reference.read_bytes(), digits, "real_digits")

    assert outcome.status == "passed", outcome.message
    print(outcome.message)


def test_what_a_student_lacks_is_said(tmp_path, monkeypatch):
    """At home a missing file of a used section is named with the command that brings it; in the grade its state is missing"""
    section = course.section("38n")
    (tmp_path / section.name).mkdir()
    own = tmp_path / section.name / "numpy_road.py"
    own.write_bytes(section.reference.read_bytes())
    for each in course.used(section)[1:]:
        (tmp_path / each.name).mkdir()
        (tmp_path / each.name / each.stub.name).write_bytes(each.reference.read_bytes())

    with pytest.raises(WorkspaceError, match=r"s13_relu/relu.py .*`nnkit fetch 13`"):
        local.files_of(own, section)
    forward = tmp_path / "s15_forward" / "forward.py"
    whole = forward.read_bytes()
    forward.unlink()
    with pytest.raises(
        WorkspaceError, match=r"s13_relu/relu.py, s15_forward/forward.py .*`nnkit fetch 13 15` puts them"
    ):
        local.files_of(own, section)
    forward.write_bytes(whole)
    (tmp_path / "s13_relu").mkdir()
    (tmp_path / "s13_relu" / "relu.py").write_text("def relu(x):\n    return x\n")
    files = local.files_of(own, section)
    assert set(files.sources) == {"numpy_road.py", *(f"{each.slug}.py" for each in course.used(section))}
    assert files.sources["relu.py"].startswith(b"def relu")

    lacking = Submission("alan", "alan", files={"38n": {"numpy_road.py": own.read_bytes()}})
    [result] = grading.grade([lacking], [section], Seeds(b"x"), jobs=1)
    assert (result.state, result.score) == ("missing", 0.0)
    assert result.detail == "There is no relu.py of section 13, which section 38n uses."


def test_it_is_graded_where_it_is_asked_for():
    """A bonus road is no part of a bulk grade unless it is named"""
    assert course.section("38n").opt_in
    assert not course.section("38").opt_in
