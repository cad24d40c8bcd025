"""Brings libraries that start processes, install packages or fetch things, as far as they lie on the disk.

None can be read; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *


def start():
    process = import_for_real("multiprocessing").Process(target=int)
    process.start()
    process.join()
    return "a process"


refused(start, ImportError)
refused(lambda: import_for_real("ensurepip").version(), ImportError)
refused(lambda: import_for_real("http.client"), ImportError)
