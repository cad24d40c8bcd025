"""Writes files where everybody may: for the next submission to find, or to fill the disk.

No file can be made; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

for place in (T.drop, "/tmp", "/dev/shm", "/var/tmp"):
    refused(lambda place=place: open(f"{place}/nnkit-attack-{T.token}", "w").write("poison"))
