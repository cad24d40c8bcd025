"""Two cheap functions that compute with torch."""

import numpy as np
import torch


def scaled(x: np.ndarray, factor: float) -> np.ndarray:
    """Return factor * x."""
    return (factor * torch.from_numpy(x)).numpy()


def total(x: np.ndarray) -> float:
    """Return the sum of all entries."""
    return float(torch.from_numpy(x).sum())
