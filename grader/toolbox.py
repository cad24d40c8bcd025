"""Small tools of ours inside the worker, for suites of torch sections, which do not load torch themselves."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any


def tool(name: str) -> Callable[..., Any]:
    """Return a tool by its name.

    Raises:
        ValueError: there is no such tool.
    """
    tools: dict[str, Callable[..., Any]] = {
        "optimizer_of": optimizer_of,
        "gradients_of": gradients_of,
        "network_of": network_of,
        "shapes_of": shapes_of,
    }
    if name not in tools:
        raise ValueError(f"there is no tool {name!r}; there are {', '.join(tools)}")
    return tools[name]


def optimizer_of(module: Any, name: str, **options: Any) -> object:
    """Return `torch.optim.<name>` over the parameters of a module that the student's code made.

    Args:
        module: an `nn.Module`, passed as its handle.
        name: class name in `torch.optim`, such as "SGD".
        options: its options, such as `lr`.
    """
    optimizers: Any = sys.modules["torch.optim"]
    return getattr(optimizers, name)(module.parameters(), **options)


def gradients_of(function: Callable[..., Any], arguments: list[Any]) -> tuple[Any, list[Any]]:
    """Return the function's value and the gradient of the sum of that value for every floating-point argument.

    Args:
        function: an object of the student's that can be called, passed as its handle.
        arguments: tensors; those of a floating-point type get a gradient, in the same order, the others None.
    """
    torch: Any = sys.modules["torch"]
    leaves = [
        argument.detach().clone().requires_grad_(True)
        if isinstance(argument, torch.Tensor) and argument.is_floating_point()
        else argument
        for argument in arguments
    ]
    value = function(*leaves)
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"expected a tensor to differentiate, got {type(value).__qualname__}")
    value.sum().backward()
    gradients = [leaf.grad if isinstance(leaf, torch.Tensor) and leaf.requires_grad else None for leaf in leaves]
    return value.detach(), gradients


def network_of(sizes: list[int], *, dropout: float = 0.0) -> object:
    """Return a small network in float64, Linear, ReLU, Dropout, ..., Linear: what trains and measures takes any.

    Args:
        sizes: of the input and of every layer's output.
        dropout: share that every Dropout drops.
    """
    torch: Any = sys.modules["torch"]
    parts: list[Any] = [torch.nn.Flatten()]
    for n_in, n_out in itertools.pairwise(sizes):
        parts += [torch.nn.Linear(n_in, n_out, dtype=torch.float64), torch.nn.ReLU(), torch.nn.Dropout(dropout)]
    return torch.nn.Sequential(*parts[:-2])


def shapes_of(module: Any) -> list[list[Any]]:
    """Return name and shape of every parameter of a module that the student's code made, in its order."""
    return [[name, list(parameter.shape)] for name, parameter in module.named_parameters()]
