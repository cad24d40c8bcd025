"""Generic mutants: what goes wrong in any section, made from the reference without knowing what it does.

Each wraps one public function, or every public method of one class, of the reference.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

KINDS = {
    "zeros": "returns zeros of the right shape",
    "identity": "returns its first array argument",
    "in_place": "changes its first array argument in place",
    "wrong_axis": "works along another axis, or returns a square matrix transposed",
    "float32_only": "computes in single precision",
    "first_sample_only": "gives every sample the result of the first",
}

# Travels as text behind the reference: it runs where the student's code runs and may import numpy only.
_WRAPPERS = """

import functools as _functools

import numpy as _np


def _each_array(value, change):
    if isinstance(value, _np.ndarray) or isinstance(value, (float, _np.floating)):
        return change(_np.asarray(value)) if isinstance(value, _np.ndarray) else type(value)(change(_np.asarray(value)))
    if isinstance(value, dict):
        return {key: _each_array(entry, change) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_each_array(entry, change) for entry in value)
    if hasattr(value, "detach"):
        return value.new_tensor(change(value.detach().numpy()))
    return value


def _arrays(value):
    if isinstance(value, _np.ndarray):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _arrays(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _arrays(entry)


def _first(arguments):
    return next((array for array in _arrays(arguments) if array.dtype.kind == "f" and array.size), None)


def _zeros(function, arguments, options):
    return _each_array(function(*arguments, **options), _np.zeros_like)


def _identity(function, arguments, options):
    result, first = function(*arguments, **options), _first(arguments)
    return result if first is None else _each_array(result, lambda array: first.copy())


def _in_place(function, arguments, options):
    result, first = function(*arguments, **options), _first(arguments)
    if first is not None and first.flags.writeable:
        first += 1
    return result


def _wrong_axis(function, arguments, options):
    if "axis" in options and isinstance(options["axis"], int):
        options = {**options, "axis": -1 - options["axis"]}
    result = function(*arguments, **options)
    square = lambda array: array.ndim == 2 and array.shape[0] == array.shape[1]
    return _each_array(result, lambda array: array.T.copy() if square(array) else array)


def _float32_only(function, arguments, options):
    narrow = lambda array: array.astype(_np.float32).astype(array.dtype) if array.dtype == _np.float64 else array
    if not any(array.dtype == _np.float64 for array in _arrays(arguments)):
        return function(*arguments, **options)
    only_arrays = lambda value: _each_array(value, narrow) if not isinstance(value, float) else value
    return only_arrays(function(*(only_arrays(argument) for argument in arguments), **options))


def _first_sample_only(function, arguments, options):
    def repeat(array):
        return _np.broadcast_to(array[:1], array.shape).copy() if array.ndim and array.shape[0] > 1 else array

    return _each_array(function(*arguments, **options), repeat)


def _mutated(function, change):
    @_functools.wraps(function)
    def wrong(*arguments, **options):
        return change(function, arguments, options)

    return wrong


def _mutated_method(method, change):
    @_functools.wraps(method)
    def wrong(self, *arguments, **options):
        return change(lambda *a, **o: method(self, *a, **o), arguments, options)

    return wrong
"""


@dataclass(frozen=True, slots=True)
class Generic:
    """One generic mutant."""

    kind: str
    target: str
    source: str


def generic(reference: str) -> list[Generic]:
    """Make every generic mutant of a reference's source. Which of them differ from it at all, only running them tells."""
    found = []
    for node in ast.parse(reference).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            for kind in KINDS:
                line = f"{node.name} = _mutated({node.name}, _{kind})\n"
                found.append(Generic(kind, node.name, reference + _WRAPPERS + "\n\n" + line))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [m.name for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
            for kind in KINDS:
                lines = "".join(
                    f"{node.name}.{name} = _mutated_method({node.name}.{name}, _{kind})\n" for name in methods
                )
                if lines:
                    found.append(Generic(kind, node.name, reference + _WRAPPERS + "\n\n" + lines))
    return found
