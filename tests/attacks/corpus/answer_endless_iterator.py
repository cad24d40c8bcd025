"""Returns objects that have an endless length and never end.

They are asked for no more than a test asks for; what uses relu and activity fails.
"""
# earns: less

from arsenal import *


class Endless:
    def __len__(self):
        return 2**62

    def __iter__(self):
        return self

    def __next__(self):
        return 0.0

    def __getitem__(self, key):
        return self


def relu(x):
    return Endless()


def activity(H):
    return Endless()
