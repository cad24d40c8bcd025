"""Makes links, pipes and devices in a folder that everybody may write to.

None can be made; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

name = f"{T.drop}/nnkit-attack-{T.token}-link"
refused(lambda: os.symlink(T.secret, name))
refused(lambda: os.link(T.public, name + "2"))
refused(lambda: os.mkfifo(name + "3"))
refused(lambda: os.mkdir(name + "4"))
refused(lambda: os.mknod(name + "5"))
