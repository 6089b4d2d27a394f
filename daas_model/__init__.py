"""The words of the portal as frozen types, its errors and its protocols. No I/O."""

__version__ = "0.1.0"
