"""Raises what ends Python programs, stops pytest or comes from the keyboard.

They are errors of the test like any other; what uses relu fails.
"""
# earns: without relu

from arsenal import *


class Exit(BaseException):
    """Called like pytest's own."""


class Skipped(BaseException):
    """The same."""


kinds = [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), Exit("all passed"), Skipped("not here"), BaseException()]


def relu(x):
    kinds.append(kinds.pop(0))
    raise kinds[-1]
