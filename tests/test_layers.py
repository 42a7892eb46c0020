"""The parts of emolab import downward only, in one fixed order."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "emolab"
ORDER = [
    "labels", "scoring", "corpora", "media", "engine", "captions", "internvl", "affectgpt", "discriminative",
    "fusion", "inspect", "demo", "workbench",
]  # fmt: skip
EVERYWHERE = {"errors", "extensions", "whole"}


def imported(source: str) -> set[str]:
    """Dotted names below emolab that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("emolab.")}


def upward(part: str, source: str) -> list[str]:
    """Imports of a module in `part` that are not downward."""
    allowed = set(ORDER[: ORDER.index(part) + 1]) | EVERYWHERE | {"__version__"}
    return sorted(name for name in imported(source) if name.split(".")[1] not in allowed)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward(path):
    parts = path.relative_to(PACKAGE).parts
    if len(parts) == 1:
        part = "workbench" if path.name == "__main__.py" else ORDER[0]
    else:
        part = parts[0]
    assert part in ORDER, f"{part} has no place in the order"
    assert upward(part, path.read_text(encoding="utf-8")) == []


def test_an_upward_import_is_seen():
    assert upward("labels", "def f():\n    from emolab.engine import rows") == [
        "emolab.engine",
        "emolab.engine.rows",
    ]
    assert upward("scoring", "from emolab import workbench") == ["emolab.workbench"]
    assert upward("scoring", "import emolab.labels.parse\nfrom emolab.errors import InputError") == []
