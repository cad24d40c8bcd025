"""Tells the hidden inputs in the text of an exception.

Of a hidden test's exceptions the text is not shown; what uses relu fails.
"""
# earns: without relu

from arsenal import *


def relu(x):
    raise ValueError(smuggled(x))
