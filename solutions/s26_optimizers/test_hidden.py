"""Section 26: SGD with momentum, RMSProp, Adam and AdamW. Hidden tests."""

from functools import partial

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, weight

from nnkit.grader.compare import assert_close, assert_dtype, assert_equal, assert_leaves_inputs_alone, assert_refused

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


def path(expected, params, grads):
    """What the expected optimizer makes of the parameters with these gradients: the start, and what each step leaves."""
    found = [params]
    for grad in grads:
        found.append(expected.step(found[-1], grad))
    return found


def steps(yours, points, grads):
    """The calls of step from the points of a path: what an optimizer remembers comes from the gradients alone."""
    return [partial(yours.step, point, grad) for point, grad in zip(points, grads, strict=False)]


def making(student, name, options):
    """The call that makes an optimizer, and what stands for the optimizer in calls together with it."""
    made = getattr(student, name)
    return partial(made, **options), student.newest(made)


def same_path(found, points, first=1):
    """Hold that steps led where the expected ones did. Not at once: several mistakes are the same in the first step."""
    for t, (yours, right) in enumerate(zip(found, points[1:], strict=True), start=first):
        assert_close(yours, right, atol=ATOL, name=f"the parameters after step {t}")


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
    expected, grads, lr = getattr(reference, name)(**options), gradients(rng, params, 12), rng.uniform(0.1, 0.5)
    lr *= options["lr"]
    points = path(expected, params, grads[:5])
    expected.lr = lr
    points += path(expected, points[-1], grads[5:])[1:]

    make, yours = making(student, name, options)
    calls = steps(yours, points, grads)
    _, *found = student.together([make, *calls[:5], partial(setattr, yours, "lr", lr), *calls[5:]])
    same_path(found[:5] + found[6:], points)


@weight(4)
@number("26.H2")
@ALL_FOUR
def test_every_parameter_has_its_own_memory(student, reference, rng, name):
    """Five parameters of four shapes stepped together move as if each had an optimizer of its own, in any dict order"""
    options = drawn(rng, name)
    shapes = {"w1": (4, 2), "b1": (4,), "w2": (3, 4), "b2": (4,), "scale": ()}
    params = {key: np.asarray(rng.standard_normal(shape)) for key, shape in shapes.items()}
    make, yours = making(student, name, options)
    alone = {key: getattr(reference, name)(**options) for key in shapes}
    points, calls = [params], [make]

    for grad in gradients(rng, params, 5):
        order, other = rng.permutation(list(shapes)), rng.permutation(list(shapes))
        while list(order) == list(other):
            other = rng.permutation(list(shapes))
        here = points[-1]
        calls.append(
            partial(yours.step, {str(key): here[key] for key in order}, {str(key): grad[key] for key in other})
        )
        points.append({key: alone[key].step({key: here[key]}, {key: grad[key]})[key] for key in shapes})

    same_path(student.together(calls)[1:], points)


@weight(4)
@number("26.H3")
@ALL_FOUR
def test_a_parameter_without_gradient_is_skipped(student, reference, rng, name):
    """A parameter without gradient keeps its value, its averages and its count of steps; one may also join late"""
    options = drawn(rng, name)
    params = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal((2, 3)), "late": rng.standard_normal(2)}
    (make, yours), expected = making(student, name, options), getattr(reference, name)(**options)
    present = [("a", "b"), ("a",), ("a",), ("a", "b", "late"), ("b", "late"), (), ("a", "b", "late")]
    here, points, calls = {key: params[key] for key in ("a", "b")}, [], [make]

    for names, grad in zip(present, gradients(rng, params, len(present)), strict=True):
        if "late" in names and "late" not in here:
            here = here | {"late": params["late"]}
        some = {key: grad[key] for key in names}
        calls.append(partial(yours.step, here, some))
        points.append((names, here, expected.step(here, some)))
        here = points[-1][2]

    for t, (mine, (names, before, theirs)) in enumerate(zip(student.together(calls)[1:], points, strict=True), start=1):
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
    # Whatever the used one has seen must be gone, also of a parameter that the state does not know.
    extra = params | {"c": rng.standard_normal(2)}
    before, after = gradients(rng, params, 4), gradients(rng, extra, 4, first=5.0)
    expected = getattr(reference, name)(**options)
    way = path(expected, params, before)
    points = path(expected, way[-1] | {"c": extra["c"]}, after)

    make, newest = making(student, name, options)
    first, start, *found, state = student.together(
        [make, partial(newest.state), *steps(newest, way, before), partial(newest.state)]
    )
    same_path(found, way)
    assert is_plain(state), "state() must be made of dicts, lists, tuples, numbers, texts and arrays only"

    values = student.together(
        [
            *steps(first, points, after),
            *(make, partial(newest.load_state, state), *steps(newest, points, after)),
            *(make, partial(newest.step, extra, gradients(rng, extra, 1)[0])),
            *(partial(newest.load_state, state), *steps(newest, points, after)),
            *(partial(first.load_state, start), *steps(first, way, before[:2])),
        ]
    )
    for t, (mine, theirs, again) in enumerate(zip(values[:4], values[6:10], values[13:17], strict=True), start=1):
        step = f"after step {t + 4}"
        assert_close(mine, points[t], atol=ATOL, name=f"the parameters {step}, state() having been asked,")
        assert_equal(theirs, mine, name=f"the parameters of the fresh optimizer {step}")
        assert_equal(again, mine, name=f"the parameters of the used optimizer {step}")
    same_path(values[18:], way[:3])


@weight(1.2)
@number("26.H5")
@ALL_FOUR
def test_step_changes_no_argument(student, reference, rng, name):
    """step returns new arrays: params and grads stay as they are and share no memory with the result"""
    (make, opt), expected = making(student, name, SETTINGS[name]), getattr(reference, name)(**SETTINGS[name])
    params = {"w": rng.standard_normal((3, 2)), "b": rng.standard_normal(3)}

    grads = [{"w": grad["w"]} for grad in gradients(rng, params, 2)]  # b has none: it too comes back as a new array
    _, *mine = student.together([make, *(partial(opt.step, params, grad) for grad in grads)])
    assert_leaves_inputs_alone(student.observed)
    for found, grad in zip(mine, grads, strict=True):
        assert_close(found, expected.step(params, grad), atol=ATOL)


@weight(1.5)
@number("26.H6")
def test_momentum_crosses_a_narrow_valley(student, reference, rng):
    """In a valley with curvatures 1 to 20, momentum 0.5 needs at most 11 steps, where plain SGD would need 13"""
    curvature = np.array([1.0, 2.0, 5.0, 10.0, 20.0])
    start = rng.uniform(1, 2, 5) * rng.choice([-1.0, 1.0], 5)
    options = {"lr": 0.09, "momentum": 0.5}
    expected, points, grads = reference.SGD(**options), [{"w": start}], []
    for _ in range(11):
        grads.append({"w": curvature * points[-1]["w"]})
        points += path(expected, points[-1], grads[-1:])[1:]

    make, yours = making(student, "SGD", options)
    _, *found = student.together([make, *steps(yours, points, grads)])
    same_path(found, points)
    # In theory the distance shrinks by sqrt(0.5) = 0.71 a step with momentum, and by 1 - 0.09 along the flattest
    # direction without: log(0.3) / log(0.91) = 12.8 steps at least. 2000 starts with these numbers: 7 to 9 steps.
    assert min(np.abs(point["w"]).max() for point in found) < 0.3, "with momentum 0.5 it was not there after 11 steps"


@weight(1.2)
@number("26.H7")
@ALL_FOUR
def test_dtype(student, reference, rng, name):
    """float32 parameters stay float32, float64 stay float64, integers become float64"""
    dtypes = [(np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64)]
    make, opt = making(student, name, SETTINGS[name])
    calls, expected = [], []
    for dtype, wanted in dtypes:
        params = {"w": (10 * rng.standard_normal((3, 4))).astype(dtype)}
        grads = [{"w": rng.standard_normal((3, 4)).astype(wanted)} for _ in range(3)]
        points = path(getattr(reference, name)(**SETTINGS[name]), params, grads)
        calls += [make, *steps(opt, points, grads)]
        expected += [None, *((dtype, wanted, theirs) for theirs in points[1:])]

    for mine, each in zip(student.together(calls), expected, strict=True):
        if each is None:  # an optimizer that was made
            continue
        dtype, wanted, theirs = each
        # 3 steps of about 10 float32 operations on values up to 40: 30 * 6e-8 * 40 = 7e-5
        rtol, atol = (4e-6, 1e-4) if dtype == np.float32 else (1e-7, ATOL)
        assert_close(mine, theirs, rtol=rtol, atol=atol)
        assert_dtype(mine["w"], wanted, name=f"a parameter that came as {np.dtype(dtype)}")


@weight(1.5)
@number("26.H8")
def test_a_step_is_fast(student, rng, speed):
    """An Adam step over 20 000 parameters takes at most 3 times the CPU time of the reference"""

    def inputs():
        return {"w": rng.standard_normal((100, 200))}, {"w": rng.standard_normal((100, 200))}

    speed.at_most(3, lambda module, opt, params, grads: opt.step(params, grads), inputs, prepare=lambda m: m.Adam())


@weight(2.5)
@number("26.H9")
@ALL_FOUR
def test_defaults(student, reference, rng, name):
    """With default settings a tiny, a usual and a huge gradient move a weight as in torch"""
    given = {"lr": 0.1} if name == "SGD" else {}
    (make, yours), expected = making(student, name, given), getattr(reference, name)(**given)
    # Weights of 1 move by about lr = 1e-3 a step, in the last place with gradients near eps: compare the movement.
    params = {"w": np.array([1.0, -1.0, 2.0, 40.0])}
    grads = [{"w": rng.uniform(0.5, 1.5, 4) * np.array([3e-8, -3e-8, 1.0, 1e3])} for _ in range(4)]
    points = path(expected, params, grads)
    _, *found = student.together([make, *steps(yours, points, grads)])
    for before, new, right in zip(points[:-1], found, points[1:], strict=True):
        assert_close(new, right, name="the parameters")
        # A movement is a difference of numbers below 1e3, each exact to 1e3 * 2e-16
        assert_close(new["w"] - before["w"], right["w"] - before["w"], rtol=1e-6, atol=1e-12, name="the movement")


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
    calls = [partial(getattr(student, name), **{"lr": 0.1} | bad) for name, bad, _ in BAD_SETTINGS]
    for outcome, (_, _, naming) in zip(student.together(calls, catch=True), BAD_SETTINGS, strict=True):
        assert_refused([outcome], naming=naming)


@weight(1.2)
@number("26.H10")
@ALL_FOUR
def test_bad_gradients(student, reference, rng, name):
    """Gradients of an unknown name or another shape are refused, and a refused step leaves no trace"""
    options = SETTINGS[name]
    params = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal(3)}
    grads = gradients(rng, params, 3)
    points = path(getattr(reference, name)(**options), params, grads)
    bad = [grads[1] | {"c": np.ones(3)}]
    bad += [grads[1] | {"b": wrong} for wrong in (np.ones((3, 1)), np.ones(1), np.ones((2, 3)))]
    make, yours = making(student, name, options)
    first, *rest = steps(yours, points, grads)  # after the first there is a memory that could be spoiled
    outcomes = student.together(
        [make, first, *(partial(yours.step, points[1], each) for each in bad), *rest], catch=True
    )

    assert_refused(outcomes[2:6], naming="grads")
    same_path([outcomes[1], *outcomes[6:]], points)
