"""The parts of each view fit together as one script."""

import re
from collections import Counter
from pathlib import Path

import pytest

from emolab.inspect.sources import IMPORT, MAIN, PAGE, PARTS, script, style

NAMED = re.compile(r"^(?:export )?(?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)
EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)
VIEWS = {name: PARTS.with_name(f"{name}.js") for name in ("caption_review", "playground")}
MAINS = {"inspector": MAIN, "page": PAGE, **VIEWS}
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(PARTS.parent.rglob("*.js"))}
by_part = pytest.mark.parametrize("part", SOURCES, ids=lambda path: path.name)


def imports(part: Path) -> dict[Path, list[str]]:
    """Part -> the names that are imported from it."""
    found = re.findall(r'^import \{([^}]*)\} from "\./([\w./]+)";\n', SOURCES[part], re.MULTILINE)
    return {part.parent / name: [each.strip() for each in names.split(",") if each.strip()] for names, name in found}


@pytest.mark.parametrize("name", MAINS)
def test_top_level_names_stand_once(name):
    joined = script(MAINS[name])
    assert [name for name, count in Counter(NAMED.findall(joined)).items() if count > 1] == []
    assert not re.search(r"^import\b", joined, re.MULTILINE)
    exported = re.findall(r"^export .*", joined, re.MULTILINE)
    assert exported == ([] if name == "page" else ["export default { render };"])


def test_every_part_is_joined():
    joined = "\n".join(map(script, (PAGE, *VIEWS.values())))
    for part, source in SOURCES.items():
        assert all(f" {each}" in joined for each in NAMED.findall(source)), part.name
    assert all(NAMED.findall(source) for source in SOURCES.values())


@by_part
def test_imports_name_what_is_there_and_used(part):
    source = SOURCES[part]
    assert len(imports(part)) == len(re.findall(r"^import\b", source, re.MULTILINE))  # of no other form
    body = IMPORT.sub("", source)
    for other, names in imports(part).items():
        for each in names:
            assert each in EXPORTED.findall(SOURCES[other]), f"{other.name} exports no {each}"
            assert re.search(rf"\b{each}\b", body), f"{each} is imported for nothing"


def test_nothing_is_exported_for_nothing():
    used = {(other, name) for part in SOURCES for other, names in imports(part).items() for name in names}
    idle = {
        (part.name, name) for part in SOURCES for name in EXPORTED.findall(SOURCES[part]) if (part, name) not in used
    }
    assert idle == set()


@by_part
def test_a_part_imports_the_names_of_others_that_it_uses(part):
    """What is joined would run without the import, and then only there."""
    source = SOURCES[part]
    words = re.sub(r'"[^"\n]*"|//.*', "", source)
    own = set(NAMED.findall(source)) | {name for names in imports(part).values() for name in names}
    called = set(re.findall(r"(?<![\w.$])(\w+)\(", words)) - set(re.findall(r"(?:function|const|let) (\w+)", words))
    others = {each for other, text in SOURCES.items() if other != part for each in EXPORTED.findall(text)}
    assert sorted((called & others) - own) == []


def test_text_enters_as_text():
    for part, source in SOURCES.items():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|https?://(?!www\.w3\.org/)", source
        ), part.name


def test_the_style_stays_within_the_inspector():
    rules = re.findall(r"^\s*([^\s@{}/*][^{}]*)\{", re.sub(r"/\*.*?\*/", "", style(), flags=re.S), re.MULTILINE)
    stray = [rule for rule in rules if ".emolab-inspector" not in rule and not re.match(r"from|to|\d+%|-?-?\w+:", rule)]
    assert stray == [] and len(rules) > 50
