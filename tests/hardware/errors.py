"""What goes wrong with the bench itself, never with what is tested on it."""


class BenchError(Exception):
    """The bench cannot do what was asked of it."""
