"""Looking at predictions: the inspector (`view`, `page`), the other widgets, and figures."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("view", "page"):  # when asked for: figures need no widgets
        from emolab.inspect import opening

        return getattr(opening, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
