"""Sleeps a little in every call, so that no single one takes too long.

The time for the whole submission runs out.
"""
# earns: less
# ends: timeout
# run: impatient

from arsenal import *


def relu(x):
    time.sleep(1)
    return honest.relu(x)


def elu(x, alpha=1.0):
    time.sleep(1)
    return honest.elu(x, alpha)
