"""Emotion wheels: which cluster a label falls into, by the official tables or by emolab's own wheel.

The official tables (OV-MER and MER2025/MER2026, folder `emotion_wheel`) are the user's own copy and are read as
released: `format.csv` (a word and its forms), `synonym.xlsx` (eight runs of a chat model, united) and `wheel1.xlsx` to
`wheel5.xlsx` (three levels each).
"""

import csv
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import ParseError

from emolab.errors import InputError
from emolab.labels.lexicon import family_of

EDITIONS = ("2025", "2026")
WHEELS = range(1, 6)
_RUNS = range(1, 9)


@dataclass(frozen=True, eq=False)
class Wheels:
    """Several views of a label's meaning, from fine to coarse.

    `views` names them, before the slash what kind they are: `m1` (word form), `m2` (synonym), `level1/1` (the inner
    ring of wheel 1), `level2/1` (its middle ring). `find(label)` gives the label's cluster in each view, None where it
    has none; the label is lower-cased and stripped. `edition` is 2025, 2026 or own.
    """

    edition: str
    views: tuple[str, ...]
    find: Callable[[str], tuple[str | None, ...]]


@cache
def own_wheels() -> Wheels:
    """emolab's own wheel, for use without the official tables: level 2 is the lexicon family, level 1 one of nine.

    The nine are the six primary emotions of Shaver et al. (1987) and Parrott (2001): love, joy, surprise, anger,
    sadness and fear; disgust, which Ekman (1992) and Plutchik (1980) hold for basic; interest (Plutchik's
    anticipation); and calm (Russell's pleasant states of low arousal, 1980). Families lie where Shaver and Parrott put
    their words, and else where Plutchik puts them: boredom and contempt at disgust, thoughtfulness at interest,
    distraction and confusion at surprise, caution and doubt at fear. `neutral` is in no cluster, as in the official
    tables. There are no word forms of their own, so that `m1` and `m2` are absent.
    """
    primary = {family: name for name, each in _own_data().items() for family in each["families"]}

    @lru_cache(maxsize=65536)
    def find(label: str) -> tuple[str | None, ...]:
        family = family_of(label)
        return (primary[family], family) if family in primary else (None, None)

    return Wheels("own", ("level1/own", "level2/own"), find)


def own_sectors() -> list[str]:
    """The nine of level 1, pleasant ones first."""
    return list(_own_data())


def valence_of(label: str) -> int:
    """1 for a pleasant, -1 for an unpleasant label, 0 for others and unknown ones, by its part of the own wheel."""
    name = own_wheels().find(label)[0]
    return _own_data()[name]["valence"] if name else 0


@cache
def _own_data() -> dict[str, dict]:
    return json.loads(files("emolab.labels").joinpath("own_wheel.json").read_text(encoding="utf-8"))


def read_wheels(folder: str | Path, edition: str) -> Wheels:
    """The official tables in `folder`; `edition` is `2025` or `2026` and has to be named.

    As officially done, so that scores agree:

    - a form may belong to several words and a word to several wheel words; the alphabetically first one counts;
    - `m1`: first word of the form. `m2`: first wheel word of that first word. `level1/K`, `level2/K`: first wheel word
      that stands in wheel K, over all words of the form;
    - blank cells repeat the cell above, in all three columns, and of two places of a word in a wheel the last counts;
    - at level 2, a wheel word of level 1 counts as the alphabetically first level-2 word below it;
    - a label whose form is not listed has no cluster in any view; "neutral" is such a label.

    The editions differ in 17 rows: 2025 holds "fear" for a form of "fearless" too, and help and power likewise. Tables
    are kept in memory. InputError for a missing or unreadable table, and for tables of the other edition.
    """
    if edition not in EDITIONS:
        raise InputError(f"the edition of the wheel tables is {edition!r}; name one of {', '.join(EDITIONS)}")
    return _read_wheels(Path(folder).expanduser().resolve(), edition)


@lru_cache(maxsize=8)
def _read_wheels(folder: Path, edition: str) -> Wheels:
    words_of = _forms(folder / "format.csv")
    wheel_words_of = _synonyms(folder / "synonym.xlsx")
    for word in {word for words in words_of.values() for word in words}:
        if word not in wheel_words_of:
            raise InputError(f"{folder / 'format.csv'}: {word!r} is not in synonym.xlsx; take both from one release")
    if "fear" in words_of and ("fearless" in words_of["fear"]) != (edition == "2025"):
        other = EDITIONS[edition == "2025"]
        raise InputError(f"{folder}: these tables are of edition {other}, not {edition}; name the edition you mean")
    rings = {}
    for number in WHEELS:
        inner, middle = _wheel(folder / f"wheel{number}.xlsx")
        rings |= {f"level1/{number}": inner, f"level2/{number}": middle}

    clusters = {}
    for form, words in words_of.items():
        first = min(words)
        ordered = sorted({each for word in words for each in wheel_words_of[word]})
        in_rings = (next((ring[each] for each in ordered if each in ring), None) for ring in rings.values())
        clusters[form] = (first, min(wheel_words_of[first]), *in_rings)
    views = ("m1", "m2", *rings)
    none = (None,) * len(views)
    return Wheels(edition, views, lambda label: clusters.get(label, none))


def _forms(path: Path) -> dict[str, set[str]]:
    """Form -> words, each word being a form of itself."""
    words_of: dict[str, set[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                for form in [*_items(row["format"] or ""), row["name"]]:
                    words_of.setdefault(form, set()).add(row["name"])
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise _unreadable(path, error) from error
    return words_of


def _synonyms(path: Path) -> dict[str, set[str]]:
    """Word -> wheel words, each wheel word being a synonym of itself; all eight runs together."""
    wheel_words_of: dict[str, set[str]] = {}
    for row in _sheet(path, [f"{kind}_run{run}" for run in _RUNS for kind in ("word", "synonym")]):
        for wheel_word, synonyms in zip(row[::2], row[1::2], strict=True):
            if wheel_word is None:
                continue
            wheel_word = wheel_word.strip().lower()
            for synonym in [wheel_word, *_items(synonyms or "")]:
                wheel_words_of.setdefault(synonym.lower(), set()).add(wheel_word)
    return wheel_words_of


def _wheel(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Wheel word -> word of level 1, and -> word of level 2."""
    tree: dict[str, dict[str, list[str]]] = {}
    above = ("", "", "")
    for row in _sheet(path, ["level1", "level2", "level3"]):
        above = tuple(old if new is None else new.strip().lower() for old, new in zip(above, row, strict=True))
        tree.setdefault(above[0], {}).setdefault(above[1], []).append(above[2])
    inner, middle = {}, {}
    for top, below in tree.items():
        inner[top], middle[top] = top, min(below)
        for name, leaves in below.items():
            inner |= dict.fromkeys([name, *leaves], top)
            middle |= dict.fromkeys([name, *leaves], name)
    return inner, middle


def _sheet(path: Path, columns: list[str]) -> list[list[str | None]]:
    """Cells of the named columns as text, None where blank; formulas are never computed."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        header, *rows = book.worksheets[0].iter_rows(values_only=True)
        at = [header.index(name) for name in columns]
        book.close()
        return [[None if row[i] is None else str(row[i]) for i in at] for row in rows]
    except (OSError, ValueError, KeyError, IndexError, ParseError, InvalidFileException, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def _items(text: str) -> list[str]:
    return [item.strip() for item in re.split("['\",]", text) if item.strip()]


def _unreadable(path: Path, error: Exception) -> InputError:
    cause = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    return InputError(
        f"{path}: cannot be read as a table of the emotion wheels ({str(cause)[:120]}); "
        "--tables names a folder with format.csv, synonym.xlsx and wheel1.xlsx to wheel5.xlsx as released"
    )
