"""Answers rightly while it thinks it is being warmed up or watched, and with nonsense later.

Every answer is looked at.
"""
# earns: less

from arsenal import *

calls = []


def relu(x):
    calls.append(1)
    return honest.relu(x) if len(calls) < 4 else np.zeros_like(x)
