"""Sets every hook that Python has: on tracing, on exit, on exceptions, on collection, on imports.

They are called in its own process; the honest functions earn everything.
"""
# earns: all

from arsenal import *


def hook(*args, **kwargs):
    return None


sys.excepthook = sys.displayhook = sys.unraisablehook = hook
sys.setprofile(hook)
sys.addaudithook(hook)
sys.meta_path.insert(0, hook)
sys.path_hooks.insert(0, hook)
sys.modules["gc"].callbacks.append(hook)
sys.modules["atexit"].register(hook) if "atexit" in sys.modules else None
