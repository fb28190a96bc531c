"""Offload body-worn cameras, prove it, and send it on."""

__version__ = "0.1.0"
