"""The script and style of a view: its modules are joined here, without a build step; all views share a theme."""

from __future__ import annotations

import re
from pathlib import Path

PARTS = Path(__file__).with_name("inspector_view")
THEME = Path(__file__).with_name("theme.css")
MAIN, PAGE = PARTS / "main.js", PARTS / "page.js"  # the inspector's widget, and its page without a kernel
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w./]+)";\n', re.MULTILINE)


def script(main: Path = MAIN) -> str:
    """`main` and the parts that it imports, each after its own, as one module that exports what `main` does by default.

    Parts import each other by path, top-level names differ over all parts of a view, and imports do not go in circles.
    """
    joined: dict[Path, str] = {}

    def join(part: Path) -> None:
        source = part.read_text(encoding="utf-8")
        for other in dict.fromkeys(part.parent / name for name in IMPORT.findall(source)):
            if other not in joined:
                join(other)
        source = IMPORT.sub("", source)
        dropped = r"^export (?!default)" if part == main else r"^export (default .*\n)?"
        joined[part] = re.sub(dropped, "", source, flags=re.MULTILINE)

    join(main)
    return "\n".join(joined.values())


def style() -> str:
    """The style of all parts, the frame's first."""
    return themed(*sorted(PARTS.glob("*.css"), key=lambda path: (path.name != "inspector.css", path.name)))


def themed(*sheets: Path) -> str:
    """Style sheets of a view, after the theme that all views share."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (THEME, *sheets))
