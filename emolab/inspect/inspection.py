"""What the inspector shows: clips, what each model said of them, and what of it is matched, missed and spurious."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from tqdm import tqdm

from emolab.corpora.clip import Clip
from emolab.errors import InputError
from emolab.inspect.asked import prompt_of
from emolab.labels.lexicon import key_of
from emolab.labels.wheel import own_sectors, own_wheels
from emolab.scoring.clips import LabelSets
from emolab.scoring.grouping import clean_labels
from emolab.scoring.match import Match, match

Rows = Mapping[str, Mapping[str, Any]]  # clip_id -> Prediction row
SAID, MATCHED, MISSED, SPURIOUS = range(
    4
)  # how a label stands to the truth; SAID: of the truth, or where there is none
SIGNS = ("·", "✓", "−", "+")
NOT_ASKED, ANSWERED, FAILED = range(3)
_MOST_CORPORA = 255  # codes of a byte
_SHOWN = ("clip_id", "model", "labels", "text", "prompt", "prompt_id", "error", "votes", "probabilities")


class Inspection:
    """Clips and the rows of several models, compared with one truth.

    `answers`: model name -> clip_id -> Prediction row (labels, text, error, and where there are some prompt_id, votes,
    probabilities and others); a clip without a row was not asked. `truth`: clip_id -> labels, which go before the
    clips' own.
    Arrays: `f` [clips, models], a clip's F of groups of synonyms (NaN: no truth or no answer), and `disagreement`
    [clips], the mean Jaccard distance between the groups that two models named (NaN: fewer than two answers).
    InputError for no clip, no model, and a clip_id that stands twice.
    """

    def __init__(
        self, clips: Sequence[Clip], answers: Mapping[str, Rows], corpus: str, truth: LabelSets | None = None
    ) -> None:
        if not clips or not answers:
            raise InputError(
                f"there is nothing to inspect: {len(clips)} clips, {len(answers)} models; give at least one"
            )
        self.models, self.corpus = list(answers), corpus
        self.clips: list[Clip] = []
        self._answers = {name: dict(rows) for name, rows in answers.items()}
        self._own_truth = truth
        self._positions: dict[str, int] = {}
        self._codes: dict[str, int] = {}  # label -> code
        self._chips, self._offsets = array("I"), array("I", [0])
        self._status = array("B")
        self._averages, self._f, self._disagreement = array("d"), array("f"), array("f")
        self._compared: dict[tuple, tuple[Match, float, float]] = {}
        for clip in tqdm(clips, "comparing with the truth", unit="clip", delay=2, leave=False):
            self._add(clip)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def clip_ids(self) -> list[str]:
        return list(self._positions)

    @property
    def f(self) -> np.ndarray:
        return np.array(self._f, np.float32).reshape(len(self.clips), len(self.models))

    @property
    def disagreement(self) -> np.ndarray:
        return np.array(self._disagreement, np.float32)

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._positions

    def position(self, clip_id: str) -> int:
        """Where a clip stands. KeyError for an unknown one."""
        return self._positions[clip_id]

    def add(self, clip: Clip, rows: Mapping[str, Mapping[str, Any]]) -> int:
        """Append a clip with the rows of some of the models (model -> row); returns its position."""
        for model, row in rows.items():
            self._answers[model][clip.clip_id] = row
        self._add(clip)
        return len(self.clips) - 1

    def against(self, truth: LabelSets | None) -> Inspection:
        """The same clips and answers, compared with another truth; None: the clips' own labels."""
        return Inspection(self.clips, self._answers, self.corpus, truth)

    def truth(self, position: int) -> list[str] | None:
        """The labels that a clip is compared with; None where it has none."""
        clip = self.clips[position]
        labels = clip.labels if self._own_truth is None else self._own_truth.get(clip.clip_id, clip.labels)
        return None if labels is None else clean_labels(labels)

    def chips(self, position: int, model: int) -> list[tuple[str, str]]:
        """(sign of SIGNS, label) of what a model said of a clip, and of what it missed."""
        words = list(self._codes)
        start = position * (len(self.models) + 1) + model + 1
        chips = self._chips[self._offsets[start] : self._offsets[start + 1]]
        return [(SIGNS[chip % 4], words[chip // 4]) for chip in chips]

    @property
    def columns(self) -> list[str]:
        """The keys of `row`."""
        return [
            "clip_id",
            "split",
            "corpus",
            "transcript",
            "truth",
            *self.models,
            *(f"{name} F" for name in self.models),
        ]

    def row(self, position: int) -> dict[str, Any]:
        """A clip as a row of a table: its labels by each model (None: no answer), and F (NaN: not known)."""
        clip = self.clips[position]
        rows = {name: self._answers[name].get(clip.clip_id) for name in self.models}
        said = {name: None if row is None or row.get("error") else _labels(row) for name, row in rows.items()}
        first = position * len(self.models)
        scores = {f"{name} F": self._f[first + number] for number, name in enumerate(self.models)}
        known = {key: getattr(clip, key) for key in ("clip_id", "split", "corpus", "transcript")}
        return {**known, "truth": self.truth(position), **said, **scores}

    def worst(self) -> np.ndarray:
        """Positions by the mean F over models, lowest first, those without any last."""
        f = self.f
        known = ~np.isnan(f)
        mean = np.where(known.any(axis=1), np.where(known, f, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.inf)
        return np.argsort(mean, kind="stable")

    def counts(self) -> list[dict[str, Any]]:
        """A row for each model: on how many clips it was asked, answered and failed; of those with a truth, on how many
        all was found (nothing missed, nothing spurious) and nothing was."""
        rows = []
        for about, f in zip(self._summaries(), self.f.T, strict=True):
            asked = {key: about[key] for key in ("name", "asked", "answered", "errors")}
            rows.append({**asked, "all found": int((f == 1).sum()), "nothing found": int((f == 0).sum())})
        return rows

    # --- what the view is sent

    def index(self, positions: Sequence[int] | None = None) -> tuple[dict[str, Any], list[bytes]]:
        """What filters, counts and the list need of all clips, or of some in the order given: a JSON object, and bytes
        (little endian) of ids, splits, corpora, offsets, chips, status, f, disagreement and whether there is truth."""
        positions = range(len(self.clips)) if positions is None else positions
        clips = [self.clips[position] for position in positions]
        splits, split = _codes((clip.split or "" for clip in clips), "split")
        corpora, corpus = _codes((clip.corpus for clip in clips), "corpus")
        words = list(self._codes)
        groups, group_of = _named(map(key_of, words))
        sectors = [*own_sectors(), "other"]
        sector_of = [sectors.index(own_wheels().find(word)[0] or "other") for word in words]
        offsets, chips, rows = self._columns(np.array(positions, np.int64))
        numbers = (split, corpus, offsets, chips, *rows)
        about = {
            "corpus": self.corpus, "n": len(clips), "models": self._summaries(), "splits": splits, "corpora": corpora,
            "labels": words, "groups": groups, "group_of": group_of, "sectors": sectors, "sector_of": sector_of,
        }  # fmt: skip
        return _sendable(about), [_lines(clip.clip_id for clip in clips), *(each.tobytes() for each in numbers)]

    def texts(self, positions: Sequence[int] | None = None) -> bytes:
        """The transcripts, one a line, in UTF-8."""
        clips = self.clips if positions is None else [self.clips[position] for position in positions]
        return _lines(clip.transcript for clip in clips)

    def detail(self, position: int) -> dict[str, Any]:
        """All that is known of one clip: its row, its truth, and for each model the row, scores and prompt."""
        clip = self.clips[position]
        known = dataclasses.asdict(clip)
        shown = ("clip_id", "transcript", "language", "split", "corpus", "speaker", "description", "emotion", "video")
        about = {key: known[key] for key in shown} | {"labels": clip.labels and clean_labels(clip.labels)}
        truth = self.truth(position)
        models = [self._entry(name, clip, truth) for name in self.models]
        return _sendable({"clip": about, "truth": truth, "models": models})

    def _entry(self, name: str, clip: Clip, truth: list[str] | None) -> dict[str, Any]:
        row = self._answers[name].get(clip.clip_id)
        if row is None:
            return {"name": name, "status": NOT_ASKED}
        labels = _labels(row)
        accuracy, recall, f = clip_scores(match(truth or (), labels))
        facts = {"model": row.get("model")} | {key: value for key, value in row.items() if key not in _SHOWN}
        return {
            "name": name,
            "status": FAILED if row.get("error") else ANSWERED,
            "labels": labels,
            **{key: row.get(key) for key in ("text", "prompt_id", "error", "votes", "probabilities")},
            "prompt": prompt_of(row, clip),
            "scores": {"accuracy": accuracy, "recall": recall, "f": f} if truth and not row.get("error") else None,
            "facts": {key: str(value) for key, value in facts.items() if value not in (None, "", [], {})},
        }

    def _summaries(self) -> list[dict[str, Any]]:
        """Each model with how many clips it was asked about, answered and failed on, and its MER2024 Avg (lexicon
        groups) over those that it answered and that have a truth."""
        status, averages = (
            np.array(each).reshape(len(self.clips), len(self.models)) for each in (self._status, self._averages)
        )
        summaries = []
        for name, own, average in zip(self.models, status.T, averages.T, strict=True):
            known = average[~np.isnan(average)]
            counts = {"answered": int((own == ANSWERED).sum()), "errors": int((own == FAILED).sum())}
            score = {"avg": float(known.mean()) if len(known) else None, "scored": len(known)}
            summaries.append({"name": name, "asked": sum(counts.values()), **counts, **score})
        return summaries

    def _columns(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        slots, models = len(self.models) + 1, len(self.models)
        offsets, chips = np.array(self._offsets, np.uint32), np.array(self._chips, np.uint32)
        status = np.array(self._status, np.uint8).reshape(-1, models)[positions]
        f, disagreement = self.f[positions], self.disagreement[positions]
        starts = offsets[:-1].reshape(-1, slots)
        lengths = np.diff(offsets).reshape(-1, slots)[positions]
        if not np.array_equal(positions, np.arange(len(starts))):
            chips = np.concatenate([chips[offsets[each * slots] : offsets[(each + 1) * slots]] for each in positions])
        has_truth = np.array([self.truth(position) is not None for position in positions], np.uint8)
        return np.r_[0, lengths.ravel().cumsum()].astype(np.uint32), chips, [status, f, disagreement, has_truth]

    # --- columns

    def _add(self, clip: Clip) -> None:
        if clip.clip_id in self._positions:
            raise InputError(f"clip_id {clip.clip_id!r} stands twice; ids must be unique")
        self._positions[clip.clip_id] = len(self.clips)
        self.clips.append(clip)
        truth = self.truth(len(self.clips) - 1)
        self._append((SAID, label) for label in truth or ())
        named = []
        for rows in self._answers.values():
            row = rows.get(clip.clip_id)
            status = NOT_ASKED if row is None else FAILED if row.get("error") else ANSWERED
            self._status.append(status)
            average, f, chips = math.nan, math.nan, ()
            if status == ANSWERED:
                labels = _labels(row)
                named.append(frozenset(map(key_of, labels)))
                if truth is None:
                    chips = [(SAID, label) for label in labels]
                else:
                    found, average, f = self._compare(tuple(truth), tuple(labels))
                    chips = _signed(found, labels)
            self._averages.append(average)
            self._f.append(f)
            self._append(chips)
        apart = [_distance(*pair) for pair in combinations(named, 2)]
        self._disagreement.append(sum(apart) / len(apart) if apart else math.nan)

    def _append(self, chips: Iterable[tuple[int, str]]) -> None:
        self._chips.extend(4 * self._codes.setdefault(label, len(self._codes)) + sign for sign, label in chips)
        self._offsets.append(len(self._chips))

    def _compare(self, truth: tuple[str, ...], labels: tuple[str, ...]) -> tuple[Match, float, float]:
        """What matches, and the clip's Avg and F."""
        if (truth, labels) not in self._compared:
            found = match(truth, labels)
            accuracy, recall, f = clip_scores(found) if truth else (math.nan,) * 3
            self._compared[truth, labels] = found, (accuracy + recall) / 2, f
        return self._compared[truth, labels]


def clip_scores(found: Match) -> tuple[float, float, float]:
    """Accuracy (precision) and recall of one clip as in the MER2024 metric, over groups of synonyms, and their F."""
    hits, missed, spurious = (len(set(map(key_of, each))) for each in (found.matched, found.missed, found.spurious))
    accuracy = hits / (hits + spurious) if hits + spurious else 0.0
    recall = hits / (hits + missed) if hits + missed else 0.0
    return accuracy, recall, 2 * accuracy * recall / (accuracy + recall) if hits else 0.0


def _signed(found: Match, labels: Iterable[str]) -> Iterator[tuple[int, str]]:
    """What was said, in its order, then what was missed."""
    yield from ((MATCHED if label in found.matched else SPURIOUS, label) for label in labels)
    yield from ((MISSED, label) for label in found.missed)


def _labels(row: Mapping[str, Any]) -> list[str]:
    return clean_labels(row.get("labels") or ())


def _distance(one: frozenset[str], other: frozenset[str]) -> float:
    either = len(one | other)
    return 1 - len(one & other) / either if either else 0.0


def _named(names: Iterable[str]) -> tuple[list[str], list[int]]:
    """The different names, in order of first appearance, and the place of each."""
    codes: dict[str, int] = {}
    places = [codes.setdefault(name, len(codes)) for name in names]
    return list(codes), places


def _codes(names: Iterable[str], what: str) -> tuple[list[str], np.ndarray]:
    found, places = _named(names)
    if len(found) > _MOST_CORPORA:
        raise InputError(
            f"the clips have {len(found)} values of {what}, more than {_MOST_CORPORA}; it is no class of clips"
        )
    return found, np.array(places, np.uint8)


def _lines(texts: Iterable[str]) -> bytes:
    return "\n".join(" ".join(text.splitlines()) for text in texts).encode("utf-8", "replace")


def _sendable(value: Any) -> Any:
    """The same, without halves of signs ("\\ud800" in a JSON file), which cannot be sent."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_sendable(key): _sendable(each) for key, each in value.items()}
    return [_sendable(each) for each in value] if isinstance(value, list | tuple) else value
