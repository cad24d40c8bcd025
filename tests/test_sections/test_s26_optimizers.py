"""Section 26's reference against torch.optim, an oracle that shares no line with it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

PATH = Path(__file__).parents[2] / "solutions" / "s26_optimizers" / "optimizers.py"
SETTINGS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.5}),
    ("RMSProp", {}),
    ("RMSProp", {"lr": 0.1, "alpha": 0.7, "eps": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.5}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.5}),
]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_of_section_26", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_thirty_steps_equal_torch(reference, name, options, dtype):
    """With a huge first gradient, two changes of lr, gradients that come and go, and a scalar parameter"""
    rng = np.random.default_rng(26)
    params = {
        key: np.asarray(rng.standard_normal(shape), dtype) for key, shape in [("w", (3, 2)), ("b", (3,)), ("s", ())]
    }
    leaves = {key: torch.tensor(w, requires_grad=True) for key, w in params.items()}
    opt = getattr(reference, name)(**options)
    twin = getattr(torch.optim, {"RMSProp": "RMSprop"}.get(name, name))(leaves.values(), **options)

    for t in range(30):
        if t in (6, 20):
            opt.lr *= 0.3
            twin.param_groups[0]["lr"] *= 0.3
        scale = 100.0 if t == 0 else 1.0
        present = [key for key in params if t % 7 == 0 or rng.random() < 0.7]
        grads = {key: np.asarray(scale * rng.standard_normal(params[key].shape), dtype) for key in present}
        for key, leaf in leaves.items():
            leaf.grad = torch.tensor(grads[key]) if key in grads else None
        params = opt.step(params, grads)
        twin.step()

        # 30 steps of some 15 operations each on numbers up to 100, each right to half an eps
        atol = 30 * 15 * 100 * np.finfo(dtype).eps / 2
        for key, leaf in leaves.items():
            assert params[key].dtype == dtype
            np.testing.assert_allclose(
                params[key], leaf.detach().numpy(), rtol=0, atol=atol, err_msg=f"{key}, step {t}"
            )


@pytest.mark.parametrize("name", ["SGD", "RMSProp", "Adam", "AdamW"])
def test_defaults_are_those_of_torch(reference, name):
    """What a constructor assumes is what torch assumes (lr of SGD has no default here)"""
    twin = getattr(torch.optim, {"RMSProp": "RMSprop"}.get(name, name))([torch.zeros(1)])
    opt = getattr(reference, name)(**({"lr": twin.defaults["lr"]} if name == "SGD" else {}))

    for key in {"lr", "momentum", "alpha", "betas", "eps", "weight_decay"} & vars(opt).keys():
        assert getattr(opt, key) == twin.defaults[key], key


def test_state_is_a_snapshot(reference):
    """Later steps do not change a state that was handed out, nor do changes of it reach the optimizer"""
    opt = reference.Adam()
    params, grads = {"w": np.ones(3)}, {"w": np.arange(3.0)}
    params = opt.step(params, grads)
    state = opt.state()
    kept = {key: np.copy(value) for key, value in state["w"].items()}

    opt.step(params, grads)
    np.testing.assert_equal({key: np.copy(value) for key, value in state["w"].items()}, kept)
    other = reference.Adam()
    other.load_state(state)
    state["w"]["m"][:] = 1e9
    np.testing.assert_equal(other.state()["w"]["m"], kept["m"])


def test_returned_arrays_are_not_the_memory(reference):
    """Writing into what step returned does not reach the next step"""
    opt, twin = reference.SGD(0.1, momentum=0.9), reference.SGD(0.1, momentum=0.9)
    params, grads = {"w": np.ones(3), "b": np.zeros(2)}, {"w": np.arange(3.0)}
    first, same = opt.step(params, grads), twin.step(params, grads)
    first["w"][:] = 1e9
    first["b"][:] = 1e9

    np.testing.assert_equal(opt.step(same, grads), twin.step(same, grads))
    np.testing.assert_equal(params, {"w": np.ones(3), "b": np.zeros(2)})
