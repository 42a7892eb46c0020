"""The parts of the inspector's view fit together as one script."""

import re
from collections import Counter

import pytest

from emolab.inspect.sources import IMPORT, MAIN, PAGE, PARTS, script, style

NAMED = re.compile(r"^(?:export )?(?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)
EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in sorted(PARTS.glob("*.js"))}


@pytest.mark.parametrize("main", [MAIN, PAGE])
def test_top_level_names_stand_once(main):
    joined = script(main)
    assert [name for name, count in Counter(NAMED.findall(joined)).items() if count > 1] == []
    assert not re.search(r"^import\b", joined, re.MULTILINE)
    exported = re.findall(r"^export .*", joined, re.MULTILINE)
    assert exported == (["export default { render };"] if main == MAIN else [])


def test_every_part_is_joined():
    joined = script(PAGE)
    for name, source in SOURCES.items():
        assert all(f" {each}" in joined for each in NAMED.findall(source)), name
    assert all(NAMED.findall(source) for source in SOURCES.values())


@pytest.mark.parametrize("name", SOURCES)
def test_imports_name_what_is_there_and_used(name):
    source = SOURCES[name]
    imports = re.findall(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', source, re.MULTILINE)
    assert len(imports) == len(re.findall(r"^import\b", source, re.MULTILINE))  # of no other form
    body = IMPORT.sub("", source)
    for names, part in imports:
        for each in (word.strip() for word in names.split(",") if word.strip()):
            assert each in EXPORTED.findall(SOURCES[part]), f"{part} exports no {each}"
            assert re.search(rf"\b{each}\b", body), f"{each} is imported for nothing"


@pytest.mark.parametrize("name", SOURCES)
def test_a_part_imports_the_names_of_others_that_it_uses(name):
    """What is joined would run without the import, and then only there."""
    source = SOURCES[name]
    words = re.sub(r'"[^"\n]*"|//.*', "", source)
    own = set(NAMED.findall(source)) | set(
        re.findall(r"[\w]+", " ".join(re.findall(r"^import \{([^}]*)\}", source, re.M)))
    )
    called = set(re.findall(r"(?<![\w.$])(\w+)\(", words)) - set(re.findall(r"(?:function|const|let) (\w+)", words))
    others = {each for other, text in SOURCES.items() if other != name for each in EXPORTED.findall(text)}
    assert sorted((called & others) - own) == []


def test_text_enters_as_text():
    for name, source in SOURCES.items():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|https?://(?!www\.w3\.org/)", source
        ), name


def test_the_style_stays_within_the_inspector():
    rules = re.findall(r"^\s*([^\s@{}/*][^{}]*)\{", re.sub(r"/\*.*?\*/", "", style(), flags=re.S), re.MULTILINE)
    stray = [rule for rule in rules if ".emolab-inspector" not in rule and not re.match(r"from|to|\d+%|-?-?\w+:", rule)]
    assert stray == [] and len(rules) > 50
