"""nnkit: learn neural networks by writing them, forty test-driven assignments."""

__version__ = "0.1.0"
