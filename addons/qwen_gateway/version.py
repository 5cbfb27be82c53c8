"""The version, for the package, the wheel and `/health`."""

__version__ = "0.1.0"
