"""Forks again and again. (A small bomb: it ends by itself if nothing stops it.)

Not one fork succeeds; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

for _ in range(20):
    try:
        child = os.fork()
    except OSError:
        continue
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    shout("the first of many processes")
