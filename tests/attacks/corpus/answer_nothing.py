"""Returns None, NaN, an empty list, a text, an exception, a type and a function in turn.

Each is none of what is asked for; what uses relu fails.
"""
# earns: without relu

from arsenal import *

answers = [None, float("nan"), [], "0", ValueError("0"), float, len, Ellipsis, NotImplemented]


def relu(x):
    answers.append(answers.pop(0))
    return answers[-1]
