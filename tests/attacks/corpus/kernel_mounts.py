"""Mounts, unmounts, and changes its root.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, own_user, no_capabilities

from arsenal import *

refused(lambda: call("fsopen", text("tmpfs"), 0))
refused(lambda: call("mount", text("attack"), text(T.drop), text("no such kind"), 0, 0) and None, KeyError)
refused(lambda: call("umount2", text("/no/such/place"), 0))
refused(lambda: call("pivot_root", text("/no/such/place"), text("/no/such/place")))
refused(lambda: call("open_tree", -100, text("/"), 1))
