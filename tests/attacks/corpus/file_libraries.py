"""Opens numpy's, the standard library's and the grader's own files for writing.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

for module in (np, typing, codec):
    refused(lambda module=module: open(module.__file__, "r+b"))
