"""What processes of ours find in their environment, where numbers are computed and time is measured."""

from __future__ import annotations

# On shared cores two threads are slower than one, and kernels are compared by the time of one core.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
