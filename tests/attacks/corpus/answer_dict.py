"""Returns from activity a dict with a will of its own, keys that are not texts, and much more than asked.

Its entries cross, its will does not; what uses activity fails.
"""
# earns: less

from arsenal import *


class Dict(dict):
    def __getitem__(self, key):
        return 7 / 12

    def items(self):
        return [("sparsity", 7 / 12)]


def activity(H):
    return Dict({"sparsity": -1.0, "dead": np.array([99]), 5: 6, None: None, "passed": True})
