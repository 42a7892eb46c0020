"""The script and style of a view: the inspector's modules are joined here, without a build step; all share a theme."""

from __future__ import annotations

import re
from pathlib import Path

PARTS = Path(__file__).with_name("inspector_view")
THEME = Path(__file__).with_name("theme.css")
MAIN, PAGE = "main.js", "page.js"  # the view of the widget, and that of a page without a kernel
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)


def script(main: str = MAIN) -> str:
    """`main` and the parts that it imports, each after its own, as one module that exports what `main` does by default.

    Parts import each other by name, top-level names differ over all parts, and imports do not go in circles.
    """
    joined: dict[str, str] = {}

    def join(name: str) -> None:
        source = (PARTS / name).read_text(encoding="utf-8")
        for other in dict.fromkeys(IMPORT.findall(source)):
            if other not in joined:
                join(other)
        source = IMPORT.sub("", source)
        dropped = r"^export (?!default)" if name == main else r"^export (default .*\n)?"
        joined[name] = re.sub(dropped, "", source, flags=re.MULTILINE)

    join(main)
    return "\n".join(joined.values())


def style() -> str:
    """The style of all parts, the frame's first."""
    return themed(*sorted(PARTS.glob("*.css"), key=lambda path: (path.name != "inspector.css", path.name)))


def themed(*sheets: Path) -> str:
    """Style sheets of a view, after the theme that all views share."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (THEME, *sheets))
