"""Section 26: SGD with momentum, RMSProp, Adam and AdamW. Hidden tests."""

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import assert_close, assert_dtype, assert_equal, assert_leaves_inputs_alone, assert_refuses

# One setting per class, far from the defaults, so that the place of every constant shows.
SETTINGS = {
    "SGD": {"lr": 0.07, "momentum": 0.8, "weight_decay": 0.5},
    "RMSProp": {"lr": 0.07, "alpha": 0.85, "eps": 0.1},
    "Adam": {"lr": 0.07, "betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.5},
    "AdamW": {"lr": 0.07, "betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.5},
}
ALL_FOUR = pytest.mark.parametrize("name", list(SETTINGS))
# A few hundred operations on values below 1e3, each wrong by at most 1.1e-16 of its size: below 1e-10 with much room.
ATOL = 1e-10


def drawn(rng, name, **fixed):
    """Settings of one class with lr, momentum and betas drawn; eps 0.1 and weight decay 0.5 show where they stand."""
    options = {"lr": rng.uniform(0.02, 0.2)}
    if name == "SGD":
        options |= {"momentum": rng.uniform(0.6, 0.95), "weight_decay": 0.5}
    elif name == "RMSProp":
        options |= {"alpha": rng.uniform(0.6, 0.95), "eps": 0.1}
    else:
        options |= {"betas": (rng.uniform(0.6, 0.9), rng.uniform(0.92, 0.99)), "eps": 0.1, "weight_decay": 0.5}
    return options | fixed


def same_steps(yours, expected, params, grads, lr_after_six=None):
    """Step both optimizers along their own paths through the list of gradients, then compare step by step."""
    # Not at once: several mistakes are the same in the first step, and two tell them apart.
    mine, theirs = [params], [params]
    for t, grad in enumerate(grads, start=1):
        if t == 6 and lr_after_six is not None:
            yours.lr = lr_after_six
            expected.lr = lr_after_six
        mine.append(yours.step(mine[-1], grad))
        theirs.append(expected.step(theirs[-1], grad))
    for t in range(1, len(mine)):
        assert_close(mine[t], theirs[t], atol=ATOL, name=f"the parameters after step {t}")
    return mine[-1]


def gradients(rng, params, steps, first=30.0):
    """Random gradients; the first are large, as at the start of a training."""
    return [
        {name: (first if t == 0 else 1.0) * rng.standard_normal(np.shape(w)) for name, w in params.items()}
        for t in range(steps)
    ]


@weight(12)
@number("26.H1")
@pytest.mark.parametrize(
    ("name", "fixed"),
    [
        ("SGD", {"momentum": 0.0, "weight_decay": 0.0}),
        ("SGD", {"weight_decay": 0.0}),
        ("SGD", {}),
        ("RMSProp", {}),
        ("Adam", {"weight_decay": 0.0}),
        ("Adam", {}),
        ("AdamW", {}),
    ],
    ids=["SGD-plain", "SGD-momentum", "SGD-momentum-decay", "RMSProp", "Adam", "Adam-decay", "AdamW"],
)
def test_twelve_steps(student, reference, rng, name, fixed):
    """Twelve steps with a large first gradient and a new lr at step 6 are those of the formula"""
    options = drawn(rng, name, **fixed)
    params = {"weight": rng.standard_normal((3, 2)), "bias": rng.standard_normal(3)}
    yours, expected = getattr(student, name)(**options), getattr(reference, name)(**options)

    same_steps(yours, expected, params, gradients(rng, params, 12), lr_after_six=options["lr"] * rng.uniform(0.1, 0.5))


@weight(4)
@number("26.H2")
@ALL_FOUR
def test_every_parameter_has_its_own_memory(student, reference, rng, name):
    """Five parameters of four shapes stepped together move as if each had an optimizer of its own, in any dict order"""
    options = drawn(rng, name)
    shapes = {"w1": (4, 2), "b1": (4,), "w2": (3, 4), "b2": (4,), "scale": ()}
    params = {key: np.asarray(rng.standard_normal(shape)) for key, shape in shapes.items()}
    yours = getattr(student, name)(**options)
    alone = {key: getattr(reference, name)(**options) for key in shapes}
    theirs = params

    for t, grad in enumerate(gradients(rng, params, 5), start=1):
        order, other = rng.permutation(list(shapes)), rng.permutation(list(shapes))
        while list(order) == list(other):
            other = rng.permutation(list(shapes))
        params = yours.step({str(key): params[key] for key in order}, {str(key): grad[key] for key in other})
        theirs = {key: alone[key].step({key: theirs[key]}, {key: grad[key]})[key] for key in shapes}

        assert_close(params, theirs, atol=ATOL, name=f"the parameters after step {t}")


@weight(4)
@number("26.H3")
@ALL_FOUR
def test_a_parameter_without_gradient_is_skipped(student, reference, rng, name):
    """A parameter without gradient keeps its value, its averages and its count of steps; one may also join late"""
    options = drawn(rng, name)
    params = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal((2, 3)), "late": rng.standard_normal(2)}
    yours, expected = getattr(student, name)(**options), getattr(reference, name)(**options)
    present = [("a", "b"), ("a",), ("a",), ("a", "b", "late"), ("b", "late"), (), ("a", "b", "late")]
    mine = theirs = {key: params[key] for key in ("a", "b")}

    for t, (names, grad) in enumerate(zip(present, gradients(rng, params, len(present)), strict=True), start=1):
        if "late" in names and "late" not in mine:
            mine, theirs = mine | {"late": params["late"]}, theirs | {"late": params["late"]}
        before = mine
        some = {key: grad[key] for key in names}
        mine, theirs = yours.step(mine, some), expected.step(theirs, some)

        assert_close(mine, theirs, atol=ATOL, name=f"the parameters after step {t}")
        for key in set(before) - set(names):
            assert_equal(mine[key], before[key], name=f"{key!r}, which had no gradient at step {t},")


PLAIN = (type(None), bool, int, float, complex, str, bytes, np.ndarray, np.generic)


def is_plain(value):
    """Whether a value is made of dicts, lists, tuples, numbers, texts and arrays only."""
    if isinstance(value, dict):
        return all(is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return all(is_plain(part) for part in value)
    return isinstance(value, PLAIN)


@weight(4)
@number("26.H4")
@ALL_FOUR
def test_state_continues_the_run(student, reference, rng, name):
    """A saved state is plain data; loaded into a fresh or a used optimizer it continues bit for bit as the first did"""
    options = drawn(rng, name)
    params = {"w": rng.standard_normal((3, 2)), "b": rng.standard_normal(3)}
    make = getattr(student, name)
    first, expected = make(**options), getattr(reference, name)(**options)
    fresh, used = make(**options), make(**options)
    # Whatever the used one has seen must be gone, also of a parameter that the state does not know.
    extra = params | {"c": rng.standard_normal(2)}
    used.step(extra, gradients(rng, extra, 1)[0])
    start = first.state()
    before, after = gradients(rng, params, 4), gradients(rng, extra, 4, first=5.0)
    half = same_steps(first, expected, params, before)

    state = first.state()
    assert is_plain(state), "state() must be made of dicts, lists, tuples, numbers, texts and arrays only"
    fresh.load_state(state)
    used.load_state(state)

    mine = theirs = again = half | {"c": extra["c"]}
    formula = mine
    for t, grad in enumerate(after, start=5):
        mine, formula = first.step(mine, grad), expected.step(formula, grad)
        theirs, again = fresh.step(theirs, grad), used.step(again, grad)
        assert_close(mine, formula, atol=ATOL, name=f"the parameters after step {t}, state() having been asked,")
        assert_equal(theirs, mine, name=f"the parameters of the fresh optimizer after step {t}")
        assert_equal(again, mine, name=f"the parameters of the used optimizer after step {t}")
    first.load_state(start)
    same_steps(first, getattr(reference, name)(**options), params, before[:2])


@weight(1.2)
@number("26.H5")
@ALL_FOUR
def test_step_changes_no_argument(student, reference, rng, name):
    """step returns new arrays: params and grads stay as they are and share no memory with the result"""
    opt, expected = getattr(student, name)(**SETTINGS[name]), getattr(reference, name)(**SETTINGS[name])
    params = {"w": rng.standard_normal((3, 2)), "b": rng.standard_normal(3)}

    for grad in gradients(rng, params, 2):
        some = {"w": grad["w"]}  # b has no gradient: it too comes back as a new array
        assert_close(opt.step(params, some), expected.step(params, some), atol=ATOL)
        assert_leaves_inputs_alone(student.observed)


@weight(1.5)
@number("26.H6")
def test_momentum_crosses_a_narrow_valley(student, rng):
    """In a valley with curvatures 1 to 100, momentum 0.9 needs at most 200 steps where plain SGD needs more than 300"""
    curvature = np.array([1.0, 3.0, 10.0, 30.0, 100.0])
    start = rng.uniform(1, 2, 5) * rng.choice([-1.0, 1.0], 5)

    def steps(opt, most):
        moved = {"w": start}
        for t in range(1, most + 1):
            moved = opt.step(moved, {"w": curvature * moved["w"]})
            if t == 1:  # the velocity is the gradient: the first step is the same with and without momentum
                assert_close(moved, {"w": start - 0.015 * curvature * start})
            if np.abs(moved["w"]).max() < 1e-3:  # the loss along the flattest direction is then below 1e-6
                return t
        return most + 1

    # 30 starts with these numbers: plain 461 to 502 steps, with momentum 132 to 144. In theory the flattest
    # direction needs at least log(1e-3 / 1) / log(1 - 0.015) = 457 steps, and at most 503.
    plain, momentum = steps(student.SGD(lr=0.015), 300), steps(student.SGD(lr=0.015, momentum=0.9), 200)
    assert plain > 300, f"plain SGD was there after {plain} steps"
    assert momentum <= 200, "with momentum 0.9 it was not there after 200 steps"


@weight(1.2)
@number("26.H7")
@ALL_FOUR
def test_dtype(student, reference, rng, name):
    """float32 parameters stay float32, float64 stay float64, integers become float64"""
    for dtype, wanted in [(np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64)]:
        opt, expected = getattr(student, name)(**SETTINGS[name]), getattr(reference, name)(**SETTINGS[name])
        mine = theirs = {"w": (10 * rng.standard_normal((3, 4))).astype(dtype)}
        # 3 steps of about 10 float32 operations on values up to 40: 30 * 6e-8 * 40 = 7e-5
        rtol, atol = (4e-6, 1e-4) if dtype == np.float32 else (1e-7, ATOL)
        for _ in range(3):
            grad = {"w": rng.standard_normal((3, 4)).astype(wanted)}
            mine, theirs = opt.step(mine, grad), expected.step(theirs, grad)
            assert_close(mine, theirs, rtol=rtol, atol=atol)
            assert_dtype(mine["w"], wanted, name=f"a parameter that came as {np.dtype(dtype)}")


@weight(1.5)
@number("26.H8")
def test_a_step_is_fast(student, rng, speed):
    """An Adam step over 60 000 parameters takes at most 3 times the CPU time of the reference"""

    def inputs():
        return {"w": rng.standard_normal((200, 300))}, {"w": rng.standard_normal((200, 300))}

    speed.at_most(3, lambda module, opt, params, grads: opt.step(params, grads), inputs, prepare=lambda m: m.Adam())


@weight(2.5)
@number("26.H9")
@ALL_FOUR
def test_defaults(student, reference, rng, name):
    """With default settings a tiny, a usual and a huge gradient move a weight as in torch"""
    given = {"lr": 0.1} if name == "SGD" else {}
    yours, expected = getattr(student, name)(**given), getattr(reference, name)(**given)
    # Weights of 1 move by about lr = 1e-3 a step, in the last place with gradients near eps: compare the movement.
    mine = theirs = {"w": np.array([1.0, -1.0, 2.0, 40.0])}
    for _ in range(4):
        grad = {"w": rng.uniform(0.5, 1.5, 4) * np.array([3e-8, -3e-8, 1.0, 1e3])}
        new, right = yours.step(mine, grad), expected.step(theirs, grad)
        assert_close(new, right, name="the parameters")
        # A movement is a difference of numbers below 1e3, each exact to 1e3 * 2e-16
        assert_close(new["w"] - mine["w"], right["w"] - theirs["w"], rtol=1e-6, atol=1e-12, name="the movement")
        mine, theirs = new, right


BAD_SETTINGS = [
    *[(name, {"lr": lr}, "lr") for name in SETTINGS for lr in (-0.1, 0.0)],
    *[("SGD", {"momentum": momentum}, "momentum") for momentum in (-0.1, 1.0)],
    *[("RMSProp", {"alpha": alpha}, "alpha") for alpha in (-0.1, 1.0)],
    *[(name, {"betas": b}, "betas") for name in ("Adam", "AdamW") for b in ((1.0, 0.9), (0.9, 1.0), (0.9, -0.1))],
]


@weight(0.8)
@number("26.H10")
def test_bad_settings(student):
    """lr of 0 or less, and momentum, alpha or betas outside [0, 1), are refused with a ValueError that names them"""
    for name, bad, naming in BAD_SETTINGS:
        assert_refuses(getattr(student, name), **({"lr": 0.1} | bad), naming=naming)


@weight(1.2)
@number("26.H10")
@ALL_FOUR
def test_bad_gradients(student, reference, rng, name):
    """Gradients of an unknown name or another shape are refused, and a refused step leaves no trace"""
    options = SETTINGS[name]
    params = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal(3)}
    grads = gradients(rng, params, 3)
    yours, expected = getattr(student, name)(**options), getattr(reference, name)(**options)
    moved = same_steps(yours, expected, params, grads[:1])  # now there is a memory that could be spoiled

    assert_refuses(yours.step, moved, grads[1] | {"c": np.ones(3)}, naming="grads")
    for wrong in (np.ones((3, 1)), np.ones(1), np.ones((2, 3))):
        assert_refuses(yours.step, moved, grads[1] | {"b": wrong}, naming="grads")
    same_steps(yours, expected, moved, grads[1:])
