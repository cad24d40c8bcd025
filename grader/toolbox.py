"""Small tools of ours inside the worker, for suites of torch sections, which do not load torch themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def tool(name: str) -> Callable[..., Any]:
    """Return a tool by its name.

    Raises:
        ValueError: there is no such tool.
    """
    tools: dict[str, Callable[..., Any]] = {"optimizer_of": optimizer_of, "gradients_of": gradients_of}
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
