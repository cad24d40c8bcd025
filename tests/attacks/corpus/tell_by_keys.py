"""Tells the hidden inputs in the keys of a dict.

Of a hidden test only our own words are shown; what uses activity fails.
"""
# earns: less

from arsenal import *


def activity(H):
    return {smuggled(H): 1.0}


def relu(x):
    return {smuggled(x): 1.0}
