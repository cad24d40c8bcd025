"""Comparisons for suites: failures say what differs, where, and how far.

What a student returned may be a hostile object (in local mode nothing stands between it and us), so a value is asked
nothing unless its type is exactly one that Python or numpy made: every question about types here is `type(x) is ...`.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .codec import TensorArray, is_tensor, tensor
from .errors import CourseError

__all__ = [
    "Mismatch",
    "Observation",
    "assert_calm",
    "assert_close",
    "assert_dtype",
    "assert_equal",
    "assert_gradient",
    "assert_leaves_inputs_alone",
    "assert_leaves_random_state_alone",
    "assert_refuses",
    "assert_shape",
    "float32_atol",
    "is_tensor",
    "numerical_gradient",
    "tensor",
]

Array = NDArray[Any]
Kind = Literal[
    "type", "shape", "dtype", "length", "keys", "values", "nan", "infinite", "accepted", "exception", "observation"
]

FLOAT64: Final = np.dtype(np.float64)
# How far a result may be from the expected value, by the name of its dtype. float32: 4e-6 is 33 eps, what a few hundred
# operations lose. float16 and bfloat16 hold single operations, so 4 eps; everything else is judged as float64.
RTOL: Final = {"float32": 4e-6, "complex64": 4e-6, "float16": 4 * 2.0**-10, "bfloat16": 4 * 2.0**-7}
NUMBERS: Final = frozenset({bool, int, float, complex})
SCALARS: Final = frozenset(t for t in np.sctypeDict.values() if np.dtype(t).kind in "biufc")
ARRAYS: Final = frozenset({np.ndarray, TensorArray})
KEYS: Final = frozenset({str, int, bool, float, bytes, type(None)})
ARTICLES: Final = {"function": "a function", "method": "a method", "generator": "a generator", "set": "a set"}
RESULT: Final = "result"  # the name of what has no name: messages begin with "The result"
LONG: Final = 80  # characters of a text that are shown


class Mismatch(AssertionError):
    """A student's value is not what a test expected.

    `str()` tells all; `summary()` leaves out what would give the expected values away. The fields say the same to
    programs: `index`, `yours` and `expected` are of the first value that differs, `worst` and `worst_relative` are the
    largest differences, `differing` of `total` values differ.
    """

    def __init__(
        self,
        text: str,
        *,
        kind: Kind = "values",
        summary: str | None = None,
        where: str = "result",
        index: tuple[int, ...] | None = None,
        yours: object = None,
        expected: object = None,
        worst: float | None = None,
        worst_relative: float | None = None,
        differing: int | None = None,
        total: int | None = None,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.where = where
        self.index = index
        self.yours = yours
        self.expected = expected
        self.worst = worst
        self.worst_relative = worst_relative
        self.differing = differing
        self.total = total
        self._summary = text if summary is None else summary

    def summary(self) -> str:
        """Return what went wrong and where, in one line, without an expected value and without a difference to it."""
        return self._summary


class Observation(Protocol):
    """What the worker noticed during a call. See "Fixtures" in docs/authoring.md."""

    @property
    def flags(self) -> AbstractSet[str]:
        """Floating-point flags raised: some of over, under, invalid, divide."""

    @property
    def warnings(self) -> Sequence[str]:
        """Texts of the warnings shown."""

    @property
    def changed(self) -> Collection[str]:
        """Names of arguments changed in place."""

    @property
    def shares_memory(self) -> Collection[str]:
        """Names of arguments whose memory the result shares."""

    @property
    def random_state_changed(self) -> bool:
        """Whether a global random state moved."""

    @property
    def default_dtype_changed(self) -> bool:
        """Whether torch's default dtype is another one now."""


# Values


def assert_close(
    yours: object, expected: object, *, rtol: float | None = None, atol: float = 0.0, name: str = "result"
) -> None:
    """Hold that both have the same shape and that abs(yours - expected) <= atol + rtol * abs(expected) everywhere.

    NaN equals NaN, and infinities must agree in sign. Differences are taken in float64. A number, a numpy scalar and
    an array of shape () are accepted for each other, and so are lists and tuples; an array of shape (1,) is no number.
    Where an array came, an expected list of numbers is read as an array. Texts, None and the keys of dicts must be
    equal.

    Args:
        yours: what the student returned.
        expected: numbers, arrays, tensors, None and texts, or lists, tuples and dicts of them.
        rtol: without it 0 where both are integers, 4e-6 where `yours` is float32 (see RTOL), else 1e-7.
        atol: absolute tolerance.
        name: what the messages call `yours`.

    Raises:
        Mismatch: they differ.
    """
    __tracebackhide__ = True
    if not _soon_found_close(yours, expected, rtol, atol):
        _compare(yours, expected, name, rtol, atol, exact=False)


def assert_equal(yours: object, expected: object, *, name: str = "result") -> None:
    """Hold that both are exactly equal, with the same shape and the same type of number: bool, int, float or complex.

    The width of a number does not count (use assert_dtype), NaN equals NaN, and a list is no tuple. Where an array
    came, an expected list of numbers is read as an array.

    Raises:
        Mismatch: they differ.
    """
    __tracebackhide__ = True
    _compare(yours, expected, name, 0.0, 0.0, exact=True)


def assert_dtype(yours: object, dtype: DTypeLike, *, name: str = "result") -> None:
    """Hold that an array, tensor or number has this dtype ("bfloat16" too). A Python float counts as float64.

    Raises:
        Mismatch: it has another dtype, or none.
    """
    __tracebackhide__ = True
    wanted = dtype if type(dtype) is str and dtype == "bfloat16" else np.dtype(dtype).name
    if not _is_numeric(yours):
        _wrong_type(yours, f"an array of {wanted}", name)
    if (got := _dtype_name(yours)) != wanted:
        text = f"{_subject(name)} has dtype {got}; expected {wanted}."
        raise Mismatch(text, kind="dtype", where=name, yours=got, expected=wanted)


def assert_shape(yours: object, shape: Sequence[int], *, name: str = "result") -> None:
    """Hold that an array or tensor has this shape. A number has shape ().

    Raises:
        Mismatch: it has another shape, or none.
    """
    __tracebackhide__ = True
    wanted = tuple(shape)
    if not _is_numeric(yours):
        _wrong_type(yours, _array_of(wanted), name)
    _check_shape(_as_array(yours), wanted, name)


def float32_atol(reduction_length: int, scale: float = 1.0) -> float:
    """Return 16 * eps * sqrt(reduction_length) * scale: what a float32 sum of so many terms of that size may lose."""
    return float(16 * np.finfo(np.float32).eps * np.sqrt(reduction_length) * scale)


# Gradients


def numerical_gradient(function: Callable[[Array], object], x: object, upstream: object, *, h: float = 1e-6) -> Array:
    """Return d(sum(upstream * function(x))) / dx by central differences in float64, in the shape of x.

    The function is called twice for every value of x: keep x small. Each call gets an array of its own.

    Raises:
        Mismatch: the function returned something else than numbers in the shape of `upstream`.
    """
    __tracebackhide__ = True
    return _differences(function, x, upstream, h)[0]


def assert_gradient(
    yours: object,
    function: Callable[[Array], object],
    x: object,
    upstream: object,
    *,
    h: float = 1e-6,
    tolerance: float = 1e-6,
    name: str = "gradient",
) -> None:
    """Hold that `yours` is d(sum(upstream * function(x))) / dx, compared with central differences.

    Allowed is `tolerance`, relative to each difference, plus the noise of the differences themselves: values that are
    right to 16 eps, divided by h. Keep x away from kinks by more than h.

    Raises:
        Mismatch: it is not, or the function returned something else than numbers in the shape of `upstream`.
    """
    __tracebackhide__ = True
    numeric, size = _differences(function, x, upstream, h)
    noise = 16 * float(np.finfo(np.float64).eps) * size / h
    _compare(yours, numeric, name, tolerance, noise, exact=False)


def _differences(function: Callable[[Array], object], x: object, upstream: object, h: float) -> tuple[Array, float]:
    """Return the differences, and the size of the sum whose rounding they suffer from."""
    __tracebackhide__ = True
    at = np.array(x, dtype=np.float64)
    weights = np.asarray(upstream, dtype=np.float64)

    def value(point: Array) -> Array:
        __tracebackhide__ = True
        returned = function(point)
        if not _is_numeric(returned):
            _wrong_type(returned, _array_of(weights.shape), "function(x)")
        array = _as_array(returned)
        _check_shape(array, weights.shape, "function(x)")
        return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)

    gradient = np.empty(at.shape, np.float64)
    with np.errstate(all="ignore"):
        size = float(np.sum(np.abs(weights * value(at.copy()))))
        for index in np.ndindex(at.shape):
            right, left = at.copy(), at.copy()
            right[index] += h
            left[index] -= h
            step = right[index] - left[index]  # not quite 2 * h: x + h was rounded
            gradient[index] = np.sum(weights * (value(right) - value(left))).real / step
    return gradient, size


# Behaviour


def assert_refuses(call: Callable[..., object], *args: object, naming: str, **kwargs: object) -> None:
    """Hold that call(*args, **kwargs) raises ValueError and that the error's text names the argument `naming`.

    NotImplementedError, what runs out (time, memory) and errors that are not Python's own pass through.

    Raises:
        Mismatch: the call returned, raised another error, or its text does not name the argument.
    """
    __tracebackhide__ = True
    wanted = f"expected a ValueError whose text names `{naming}`."
    try:
        call(*args, **kwargs)
    except ValueError as error:
        text = _text_of(error)
        if not re.search(rf"(?<!\w){re.escape(naming)}(?!\w)", text):
            said = f"with the text {_shown(text)}" if text else "without a text"
            raise Mismatch(f"The call raised ValueError {said}; {wanted}", kind="exception", yours=text) from error
    except (NotImplementedError, TimeoutError, MemoryError):
        raise
    except Exception as error:
        if type(error).__module__ != "builtins":
            raise
        said = _class_name(type(error)) + (f" ({text})" if (text := _shortened(_text_of(error))) else "")
        raise Mismatch(f"The call raised {said}; {wanted}", kind="exception", yours=said) from error
    else:
        raise Mismatch(f"The call accepted a bad `{naming}`; {wanted}", kind="accepted")


def assert_refused(outcomes: Iterable[object], *, naming: str) -> None:
    """Hold that each outcome of `student.together(calls, catch=True)` is a ValueError that names the argument `naming`.

    Raises:
        Mismatch: as `assert_refuses` does, of the first that is not.
    """
    __tracebackhide__ = True
    for outcome in outcomes:
        assert_refuses(_happen, outcome, naming=naming)


def _happen(outcome: object) -> None:
    if isinstance(outcome, Exception):
        raise outcome


def assert_calm(observed: Observation) -> None:
    """Hold that the call overflowed nowhere, divided nothing by zero, made no NaN of numbers, and warned of nothing.

    Raises:
        Mismatch: it did.
    """
    __tracebackhide__ = True
    said = {"over": "a number that overflowed", "divide": "a division by zero", "invalid": "an invalid operation (NaN)"}
    found = [sentence for flag, sentence in said.items() if flag in observed.flags]
    found += [f"the warning {_shown(text)}" for text in observed.warnings]
    if found:
        text = f"On the way to the result there was {_listed(found)}; expected none, also for extreme inputs."
        raise Mismatch(text, kind="observation")


def assert_leaves_inputs_alone(observed: Observation) -> None:
    """Hold that the call changed no argument in place, and that its result shares no memory with one.

    Raises:
        Mismatch: it did.
    """
    __tracebackhide__ = True
    if observed.changed:
        text = f"The call changed its argument {_listed(observed.changed)} in place; work on a copy."
        raise Mismatch(text, kind="observation")
    if observed.shares_memory:
        text = f"The result shares memory with the argument {_listed(observed.shares_memory)}; return a new array."
        raise Mismatch(text, kind="observation")


def assert_leaves_random_state_alone(observed: Observation) -> None:
    """Hold that the call changed no global random state and no default dtype.

    Raises:
        Mismatch: it did.
    """
    __tracebackhide__ = True
    if observed.random_state_changed:
        text = (
            "The call changed a global random state; draw from a generator of your own (np.random.default_rng(seed))."
        )
        raise Mismatch(text, kind="observation")
    if observed.default_dtype_changed:
        raise Mismatch("The call changed the default dtype; give each array its dtype instead.", kind="observation")


# One step down: what the helpers are made of


def _soon_found_close(yours: object, expected: object, rtol: float | None, atol: float) -> bool:
    """Whether the plain cases, arrays of floats and floats, are close; False also where that takes a longer look."""
    if type(yours) is np.ndarray:
        theirs = (
            expected if type(expected) is np.ndarray else _read_as_array(expected) if type(expected) is list else None
        )
        if theirs is None or theirs.shape != yours.shape or theirs.dtype.kind not in "biuf":
            return False
        if yours.dtype is not FLOAT64:
            if yours.dtype.kind != "f" or yours.dtype.itemsize > 8:
                return False
            rtol = RTOL.get(yours.dtype.name, 1e-7) if rtol is None else rtol
        if theirs.dtype is not FLOAT64:
            theirs = theirs.astype(np.float64)
        with np.errstate(all="ignore"):
            far = np.abs(yours - theirs)
            allowed = np.abs(theirs) * (1e-7 if rtol is None else rtol) + atol
            # Beside an expected infinity everything is allowed, so an infinite distance must fail by itself.
            return bool(((far <= allowed) & (far < np.inf)).all())
    if (type(yours) is float or type(yours) is np.float64) and (
        type(expected) is float or type(expected) is np.float64
    ):
        mine, right = float(yours), float(expected)
        distance = abs(mine - right)
        return distance <= abs(right) * (1e-7 if rtol is None else rtol) + atol and distance < math.inf
    return False


def _compare(yours: object, expected: object, where: str, rtol: float | None, atol: float, *, exact: bool) -> None:
    """Compare values of any kind; stop at the first difference. The depth is that of `expected`, which is ours."""
    __tracebackhide__ = True
    if type(expected) is list or type(expected) is tuple:
        _compare_items(yours, expected, where, rtol, atol, exact=exact)
    elif type(expected) is dict:
        _compare_dicts(yours, expected, where, rtol, atol, exact=exact)
    elif _is_numeric(expected):
        _compare_numbers(yours, expected, where, rtol, atol, exact=exact)
    elif expected is None or type(expected) is str or type(expected) is bytes:
        if type(yours) is not type(expected):
            _wrong_type(yours, _what(expected), where)
        if yours != expected:
            _differ(yours, expected, where)
    else:
        raise CourseError(f"A suite expects {_what(expected)}, which cannot be compared; compare its parts instead.")


def _compare_items(
    yours: object, expected: list[Any] | tuple[Any, ...], where: str, rtol: float | None, atol: float, *, exact: bool
) -> None:
    __tracebackhide__ = True
    if type(yours) in ARRAYS and (array := _read_as_array(expected)) is not None:
        kinds_count = exact and array.size > 0  # an empty list has no type of number
        return _compare_numbers(yours, array, where, rtol, atol, exact=kinds_count)
    if type(yours) is not type(expected) if exact else (type(yours) is not list and type(yours) is not tuple):
        _wrong_type(yours, _what(expected), where)
    assert isinstance(yours, list | tuple)  # for the type checker
    if len(yours) != len(expected):
        text = f"{_subject(where)} has {_counted(len(yours), 'item')}; expected {len(expected)}."
        raise Mismatch(text, kind="length", where=where, yours=len(yours), expected=len(expected))
    for position, (mine, theirs) in enumerate(zip(yours, expected, strict=True)):
        _compare(mine, theirs, f"{where}[{position}]", rtol, atol, exact=exact)
    return None


def _compare_dicts(
    yours: object, expected: dict[Any, Any], where: str, rtol: float | None, atol: float, *, exact: bool
) -> None:
    __tracebackhide__ = True
    if type(yours) is not dict:
        _wrong_type(yours, "a dict", where)
    assert isinstance(yours, dict)  # for the type checker
    for key in yours:  # iterating asks a key nothing; looking one up would call its __eq__
        if not _is_plain_key(key):
            raise Mismatch(f"{_subject(where)} has a key that is {_what(key)}.", kind="keys", where=where)
    if missing := [key for key in expected if key not in yours]:
        text = f"{_subject(where)} lacks the key {_listed(map(_shown, missing))}."
        raise Mismatch(text, kind="keys", where=where, expected=missing)
    if extra := [key for key in yours if key not in expected]:
        text = f"{_subject(where)} has the key {_listed(map(_shown, extra[:5]))}, which is not expected."
        raise Mismatch(text, kind="keys", where=where, yours=extra)
    for key, theirs in expected.items():
        _compare(yours[key], theirs, f"{where}[{_shown(key)}]", rtol, atol, exact=exact)


def _compare_numbers(
    yours: object, expected: object, where: str, rtol: float | None, atol: float, *, exact: bool
) -> None:
    __tracebackhide__ = True
    theirs = _as_array(expected)
    if not _is_numeric(yours):
        _wrong_type(yours, _array_of(theirs.shape), where)
    mine = _as_array(yours)
    _check_shape(mine, theirs.shape, where)
    whole = mine.dtype.kind in "biu" and theirs.dtype.kind in "biu"
    if exact:
        _check_kind(mine, theirs, where)
    if rtol is None:
        rtol = 0.0 if whole else RTOL.get(_dtype_name(yours), 1e-7)

    with np.errstate(all="ignore"):
        if whole and rtol == 0.0 and atol < 1.0:  # float64 would not tell 2**53 from 2**53 + 1
            bad = mine != theirs
        else:
            bad = ~_close(_widened(mine), _widened(theirs), rtol, atol)
    if bad.any():
        _values_differ(mine, theirs, bad, where, rtol, atol)


def _close(yours: Array, expected: Array, rtol: float, atol: float) -> Array:
    """Return where two widened arrays are close."""
    far = np.abs(yours - expected)
    # Two finite numbers may be further apart than the largest number: then compare halves.
    finite = np.isfinite(yours) & np.isfinite(expected)
    halves = np.abs(yours / 2 - expected / 2) <= atol / 2 + rtol * np.abs(expected / 2)
    within = np.where(np.isfinite(far), far <= atol + rtol * np.abs(expected), halves)
    equal: Array = (within & finite) | (yours == expected) | (np.isnan(yours) & np.isnan(expected))
    return equal


def _values_differ(yours: Array, expected: Array, bad: Array, where: str, rtol: float, atol: float) -> NoReturn:
    """Say how many values differ, show the first, and tell the largest difference. NaN goes first, then infinity."""
    __tracebackhide__ = True
    with np.errstate(all="ignore"):
        mine, theirs = _widened(yours), _widened(expected)
        far = np.abs(mine - theirs)
        far_known = np.where(bad & np.isfinite(far), far, -1.0)
        new_nan = bad & np.isnan(mine)
        new_infinity = bad & np.isinf(mine) & np.isfinite(theirs)
    kind: Kind = "nan" if new_nan.any() else "infinite" if new_infinity.any() else "values"
    shown = new_nan if kind == "nan" else new_infinity if kind == "infinite" else bad
    index, count = _first(shown), int(np.count_nonzero(shown))
    differing, total = int(np.count_nonzero(bad)), int(bad.size)

    own, right = yours[index].item(), expected[index].item()
    own_text, right_text = _pair(own, right)
    head = _head(kind, where, index if bad.shape else None, count, total)
    lines = [f"{head}:", f"  yours     {own_text}", f"  expected  {right_text}"]
    if differing > count:
        lines.append(f"  {differing - count} more {'differs' if differing - count == 1 else 'differ'}.")
    worst = worst_relative = None
    if far_known.max() >= 0.0:
        at = tuple(map(int, np.unravel_index(int(far_known.argmax()), bad.shape)))
        worst, scale = float(far_known[at]), float(np.abs(theirs[at]))
        worst_relative = worst / scale if scale else math.inf
        place = f" at {_bracketed(at)}" if at else ""
        relative = f" (relative {worst_relative:.2g})" if scale else ""
        lines.append(f"  The largest difference is {worst:.3g}{place}{relative}; allowed: {_allowed(rtol, atol)}.")
    raise Mismatch(
        "\n".join(lines),
        kind=kind,
        summary=f"{head}." if kind == "nan" else f"{head}: yours is {own_text.strip()}.",
        where=where,
        index=index,
        yours=own,
        expected=right,
        worst=worst,
        worst_relative=worst_relative,
        differing=differing,
        total=total,
    )


def _head(kind: Kind, where: str, index: tuple[int, ...] | None, count: int, total: int) -> str:
    what = {"nan": "NaN where it should not be", "infinite": "infinite where it should not be"}.get(kind)
    if index is None:
        return f"{_subject(where)} {f'is {what}' if what else 'differs'}"
    verb = "differ" if what is None else f"are {what}"
    if count == 1:
        verb = "differs" if what is None and total == 1 else verb if what is None else f"is {what}"
    if where == RESULT:
        place = _bracketed(index)
    else:
        place = (
            f"{_bracketed(index)} of {where}"
            if " " in re.sub(r"\(.*\)|\[.*\]", "", where)
            else where + _bracketed(index)
        )
    return f"{count} of {_counted(total, 'value')} {verb}; the first at {place}"


def _differ(yours: object, expected: object, where: str) -> NoReturn:
    """Say that two texts differ."""
    __tracebackhide__ = True
    head, own = f"{_subject(where)} differs", _shown(yours)
    text = f"{head}:\n  yours     {own}\n  expected  {_shown(expected)}"
    raise Mismatch(text, summary=f"{head}: yours is {own}.", where=where, yours=yours, expected=expected)


def _wrong_type(yours: object, expected: str, where: str) -> NoReturn:
    __tracebackhide__ = True
    hint = " Is a `return` missing?" if yours is None else ""
    text = f"{_subject(where)} is {_what(yours)}; expected {expected}.{hint}"
    raise Mismatch(text, kind="type", where=where)


def _check_shape(yours: Array, expected: tuple[int, ...], where: str) -> None:
    __tracebackhide__ = True
    if yours.shape == expected:
        return
    got = yours.shape
    hint = ""
    if len(got) > 1 and got == expected[::-1]:
        hint = ": it looks transposed"
    elif len(got) > 2 and sorted(got) == sorted(expected):
        hint = ": the same axes in another order"
    elif [n for n in got if n != 1] == [n for n in expected if n != 1]:
        hint = ": they differ in axes of length 1"
    if not got or not expected:
        text = f"{_subject(where)} is {_array_of(got)}; expected {_array_of(expected)}."
    else:
        text = f"{_subject(where)} has shape {got}; expected {expected}{hint}."
    raise Mismatch(text, kind="shape", where=where, yours=got, expected=expected)


def _check_kind(yours: Array, expected: Array, where: str) -> None:
    __tracebackhide__ = True
    got, wanted = _kind_of(yours), _kind_of(expected)
    if got != wanted:
        verb = "holds numbers" if yours.shape else "is"
        text = f"{_subject(where)} {verb} of type {got}; expected {wanted}."
        raise Mismatch(text, kind="type", where=where, yours=got, expected=wanted)


# What a value is, without asking the value


def _is_numeric(value: object) -> bool:
    """Whether a value is a number or an array of numbers of a type that cannot run anybody's code."""
    kind = type(value)
    if kind in ARRAYS:
        assert isinstance(value, np.ndarray)  # for the type checker
        return value.dtype.kind in "biufc"
    return kind in NUMBERS or kind in SCALARS


def _is_plain_key(key: object) -> bool:
    if type(key) is tuple:
        return all(map(_is_plain_key, key))
    return type(key) in KEYS or type(key) in SCALARS


def _as_array(value: object) -> Array:
    """Return a value for which _is_numeric holds as a plain array."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        try:
            return np.asarray(float(value))
        except OverflowError:
            return np.asarray(math.inf if value > 0 else -math.inf)
    return np.asarray(value)


def _read_as_array(expected: list[Any] | tuple[Any, ...]) -> Array | None:
    """Return a suite's list of numbers, however nested, as an array; None where it is not one."""
    try:
        array = np.asarray(expected)
    except ValueError:  # not rectangular
        return None
    return array if array.dtype.kind in "biufc" else None


def _widened(array: Array) -> Array:
    """Return the array in float64, complex128 or their longer kin, in which differences are taken."""
    return array.astype(np.result_type(array.dtype, np.float64), copy=False)


def _dtype_name(value: object) -> str:
    if type(value) is TensorArray and value.dtype_name:
        return value.dtype_name
    return _as_array(value).dtype.name


def _kind_of(array: Array) -> str:
    return {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}[array.dtype.kind]


def _what(value: object) -> str:
    """Say what a value is, with an article, for "The result is ..."."""
    kind = type(value)
    if value is None:
        return "None"
    if kind in ARRAYS:
        assert isinstance(value, np.ndarray)  # for the type checker
        word = "a tensor" if kind is TensorArray else "an array"
        return f"{word} of shape {value.shape}" if value.dtype.kind in "biufc" else f"{word} of {value.dtype.name}"
    if kind in NUMBERS or kind in SCALARS:
        return "a number" if kind is not bool else "a bool"
    if kind is list or kind is tuple:
        assert isinstance(value, list | tuple)  # for the type checker
        return f"a {_class_name(kind)} of {_counted(len(value), 'item')}"
    if kind is str or kind is bytes or kind is dict:
        return {"str": "a text", "bytes": "bytes", "dict": "a dict"}[_class_name(kind)]
    name = _class_name(kind)
    if name == "Handle":  # stands for an object that stayed with the student's code
        try:
            told = object.__getattribute__(value, "_type_name")
        except Exception:  # noqa: BLE001 - a class of that name may be anybody's
            told = None
        name = _shortened(told) if type(told) is str else name
    return ARTICLES.get(name, f"an object of class {name}")


def _class_name(kind: type) -> str:
    # Not kind.__name__: a metaclass may answer that with code of its own.
    name: str = type.__dict__["__name__"].__get__(kind)
    return _shortened(name)


def _text_of(error: BaseException) -> str:
    """Return the texts that an error was raised with; str(error) might be code of somebody's."""
    given: tuple[object, ...] = BaseException.__dict__["args"].__get__(error)
    return " ".join(part for part in given if type(part) is str)


# Words


def _subject(where: str) -> str:
    return f"The {where.removeprefix('the ')}" if where == RESULT or where.startswith("the ") else where


def _array_of(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "a number"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _bracketed(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]"


def _first(mask: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(int(np.argmax(mask)), mask.shape)))


def _allowed(rtol: float, atol: float) -> str:
    # bool(): a list times a comparison of numpy's is a TypeError, and tolerances are often computed with numpy.
    parts = [f"{rtol:.3g} of the expected value"] * bool(rtol > 0) + [f"{atol:.3g}"] * bool(atol > 0)
    return " plus ".join(parts) or "none"


def _shortened(text: str) -> str:
    """Return a text of somebody else's on one line, with what cannot be printed escaped."""
    return _shown(text)[1:-1]


def _shown(value: object) -> str:
    """Return a plain value's repr, shortened."""
    if type(value) is int and value.bit_length() > 256:
        return f"a whole number of {value.bit_length():,} bits"
    if (type(value) is str or type(value) is bytes) and len(value) > LONG:
        return repr(value[:LONG])[:-1] + "..." + repr(value)[-1:]
    try:
        return repr(value)
    except ValueError:  # Python refuses to write very long whole numbers
        return "something too long to show"


def _pair(yours: object, expected: object) -> tuple[str, str]:
    """Return two numbers with as many digits as it takes to see the difference, positive ones below the minus."""
    for digits in (6, 9, 12, 17):
        texts = _number(yours, digits), _number(expected, digits)
        if texts[0] != texts[1]:
            break
    if any(text.startswith("-") for text in texts):
        return tuple(text if text.startswith("-") else f" {text}" for text in texts)  # type: ignore[return-value]
    return texts


def _number(value: object, digits: int) -> str:
    if type(value) is float or type(value) is complex:
        return f"{value:.{digits}g}"
    return _shown(value)
