"""Returns its input.

That is not the answer.
"""
# earns: less

from arsenal import *


def relu(x):
    return x
