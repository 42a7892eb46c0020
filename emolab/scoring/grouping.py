"""Which labels of a clip mean the same: from a cached file, the built-in lexicon or a chat model."""

import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emolab.errors import InputError, unwritten
from emolab.labels.lexicon import family_of, group
from emolab.labels.parse import parse_label_cell
from emolab.scoring.clips import LabelSets
from emolab.scoring.endpoint import Ask, each_answer
from emolab.scoring.prompts import grouping_prompt

LabelSetAnswers = dict[tuple[str, ...], str]
_ASKED_AT_ONCE = 64  # of a plain `ask`, and cached, so that a kill loses no more
_INNER_LIST = re.compile(r"\[[^\[\]]*\]")
_LIST_OF_LISTS = re.compile(r"\[\s*\[|\]\s*,?\s*\[")


@dataclass(frozen=True)
class Grouping:
    """Groups of labels per clip, and where they come from.

    `failed` are the clips whose grouping could not be read (they are scored by exact match); `selects` says
    that only clips with a grouping are scored, which is the official rule for cached files.
    """

    groups: Mapping[str, Sequence[Sequence[str]]]
    source: str
    failed: frozenset[str] = frozenset()
    selects: bool = False


def clean_labels(labels: Iterable[str]) -> list[str]:
    """Labels lower-cased and stripped, without duplicates and empty ones, in order."""
    return list(dict.fromkeys(label for label in (label.strip().lower() for label in labels) if label))


def parse_groups(text: str) -> list[list[str]] | None:
    """Groups in the text of a list of lists, as a chat model writes it; None if there is no such list."""
    if "".join(text.split()) in ("[]", "[[]]"):
        return []
    if not _LIST_OF_LISTS.search(text):
        return None
    groups = [parse_label_cell(inner) for inner in _INNER_LIST.findall(text)]
    return [labels for labels in groups if labels] or None


def file_grouping(path: str | Path) -> Grouping:
    """Cached grouping: a JSON object, clip id -> list of lists, or the text of one. InputError for others."""
    path = Path(path)
    try:
        cached = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the grouping file's path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not UTF-8 JSON; expected an object of clip id -> list of lists") from error
    if not isinstance(cached, dict):
        raise InputError(f"{path}: holds no JSON object; expected clip id -> list of lists of labels")
    groups: dict[str, list[list[str]]] = {}
    failed = set()
    for clip, value in cached.items():
        parsed = parse_groups(value) if isinstance(value, str) else value
        if isinstance(parsed, list) and all(_is_label_list(labels) for labels in parsed):
            groups[clip] = parsed
        else:
            groups[clip] = []
            failed.add(clip)
    return Grouping(groups, path.name, frozenset(failed), selects=True)


def lexicon_grouping(truth: LabelSets, predictions: LabelSets) -> Grouping:
    """Grouping by the families of emolab's lexicon; a label that it does not know is a group of its own."""
    unions = _unions(truth, predictions)
    return Grouping({clip: group(labels) for clip, labels in unions.items()}, "lexicon")


def model_grouping(
    truth: LabelSets,
    predictions: LabelSets,
    ask: Ask,
    cache: str | Path | None = None,
    source: str = "model",
) -> Grouping:
    """Grouping by a chat model: `ask` gets the prompts that are not cached yet and returns as many answers.

    The union of a clip's true and predicted labels is sorted before it is asked for. `cache` is a JSON-lines
    file of `{"labels", "prompt", "answer", "source"}`, keyed by label set, prompt and source, so that other
    predictions or another judge never reuse a wrong answer; an answer that is no list of lists is not cached,
    and its clips are in `failed`.
    """
    unions = _unions(truth, predictions)
    label_sets = sorted({tuple(labels) for labels in unions.values() if labels})
    prompts = {labels: grouping_prompt(labels) for labels in label_sets}
    answers = _read_cache(Path(cache), prompts, source) if cache else {}
    uncached = [labels for labels in label_sets if labels not in answers]
    asked = each_answer(ask, [prompts[labels] for labels in uncached], _ASKED_AT_ONCE)
    with contextlib.closing(asked):
        for position, reply in asked:
            if isinstance(reply, InputError):
                raise reply
            labels = uncached[position]
            answers[labels] = reply
            if cache and parse_groups(reply):
                _append_cache(Path(cache), {"labels": labels, "prompt": prompts[labels], "answer": reply}, source)
    parsed = {labels: parse_groups(answer) or [] for labels, answer in answers.items()}
    groups = {clip: parsed[tuple(labels)] for clip, labels in unions.items() if labels}
    return Grouping(groups, source, frozenset(clip for clip in groups if not groups[clip]))


def completed_by_lexicon(grouping: Grouping, truth: LabelSets, predictions: LabelSets) -> Grouping:
    """The same groups, where labels that stand in none join a group with a word of their lexicon family.

    For baselines, whose words no cached grouping holds: a cached grouping was made for one prediction file,
    and would count every synonym that another file uses as a miss. Labels without such a group are grouped by
    the lexicon.
    """
    completed = {}
    for clip, labels in _unions(truth, predictions).items():
        if grouping.selects and clip not in grouping.groups:
            continue
        groups = [clean_labels(each) for each in grouping.groups.get(clip, ())]
        held = {label for each in groups for label in each}
        for extra in group(label for label in labels if label not in held):
            family = family_of(extra[0])
            home = next((each for each in groups if family and family in map(family_of, each)), None)
            if home is None:
                groups.append(extra)
            else:
                home.extend(extra)
        completed[clip] = groups
    return Grouping(completed, f"{grouping.source} + lexicon", selects=grouping.selects)


def _unions(truth: LabelSets, predictions: LabelSets) -> dict[str, list[str]]:
    """Sorted union of true and predicted labels of the clips that stand in both."""
    return {
        clip: sorted({*clean_labels(labels), *clean_labels(predictions[clip])})
        for clip, labels in truth.items()
        if clip in predictions
    }


def _is_label_list(labels: object) -> bool:
    return isinstance(labels, list) and all(isinstance(label, str) for label in labels)


def _read_cache(path: Path, prompts: Mapping[tuple[str, ...], str], source: str) -> LabelSetAnswers:
    answers = {}
    # what a kill cut off may end in half a character
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []:
        try:
            row = json.loads(line)
            labels = tuple(row["labels"])
            if row["source"] == source and row["prompt"] == prompts.get(labels):
                answers[labels] = row["answer"]
        except (ValueError, KeyError, TypeError):
            continue  # an empty line, or one cut off by a kill: asked again
    return answers


def _append_cache(path: Path, row: dict, source: str) -> None:
    # first the end of a line cut off by a kill
    line = "\n" + json.dumps({**row, "source": source}, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        full = unwritten(path, error)
        place = InputError(f"{path}: cannot be written ({error.strerror}); name another file")
        raise (place if full is error else full) from None
