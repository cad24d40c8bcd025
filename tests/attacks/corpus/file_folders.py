"""Lists folders: the root, the place of the submissions, the kit's own.

No folder can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: os.listdir(T.folder))
refused(lambda: os.listdir(os.path.dirname(codec.__file__)))
refused(lambda: next(os.scandir(T.folder)))
