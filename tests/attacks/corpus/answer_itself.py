"""Returns a list that contains itself, and a dict that is its own key's value.

Neither can be handed over; what uses relu fails.
"""
# earns: without relu

from arsenal import *


def relu(x):
    ring = [{}]
    ring[0]["ring"] = ring
    return ring
