"""Which clips train, which may be guessed at, which only test; and that nothing leaks from one to another."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from emolab.corpora.clip import SIX_WAY, Clip
from emolab.errors import InputError
from emolab.media.errors import MediaError
from emolab.media.sampling import content_hash


@dataclass(frozen=True)
class Pools:
    """`labelled` clips have one of the six emotions, `unlabelled` ones none, `test` ones are never trained on."""

    labelled: tuple[Clip, ...]
    unlabelled: tuple[Clip, ...]
    test: tuple[Clip, ...]


def open_pools(clips: Iterable[Clip], folds: int) -> Pools:
    """Sort clips into pools. Raises InputError for an emotion that is none of the six, and where one of the six has
    fewer labelled clips than there are folds.

    Clips of the test split and all with open-vocabulary labels or a description only test, so that the co-judgment may
    use what is predicted for them.
    """
    labelled, unlabelled, test = [], [], []
    for clip in clips:
        if clip.emotion is not None and clip.emotion not in SIX_WAY:
            raise InputError(f"{clip.clip_id}: its emotion is {clip.emotion!r}; one of {', '.join(SIX_WAY)}.")
        if clip.labels is not None or clip.description is not None or clip.split == "test":
            test.append(clip)
        else:
            (unlabelled if clip.emotion is None else labelled).append(clip)
    counts = Counter(clip.emotion for clip in labelled)
    if not labelled:
        raise InputError(
            "the discriminative side learns from clips with one of the six emotions (`emotion` in clips.jsonl) and "
            f"without label sets, and none of the {len(clips)} clips is one."
        )
    rarest = min(SIX_WAY, key=lambda emotion: counts[emotion])
    if counts[rarest] < folds:
        raise InputError(
            f"Of the {len(labelled)} labelled clips {counts[rarest]} are {rarest!r}, but there are {folds} folds; "
            f"label more of them, or lower discriminative.folds."
        )
    return Pools(tuple(labelled), tuple(unlabelled), tuple(test))


def check_pools(pools: Pools) -> None:
    """Raise InputError naming two clips where pools share a clip id, a speaker or a file's content, or where two
    labelled clips have the same id or content: they could fall into different folds.

    Files that cannot be read have no features either, and pass. Only files of equal size are read.
    """
    sizes = Counter(size for clip in _all(pools) for _, size in _media(clip))
    alike = {size for size, count in sizes.items() if count > 1}

    def contents(clip: Clip) -> Iterator[str]:
        for path, size in _media(clip):
            if size in alike:
                try:
                    yield content_hash(path)
                except MediaError:
                    continue

    _check(pools, "the same clip id", lambda clip: [clip.clip_id], within=True)
    _check(pools, "the same speaker", lambda clip: [clip.speaker] if clip.speaker else [], within=False)
    _check(pools, "media files of the same content", contents, within=True)


def folds_of(labelled: Sequence[Clip], count: int, seed: int) -> np.ndarray:
    """The fold [n] of each labelled clip, 0 to count - 1: as equal as can be in emotions, with each speaker's clips in
    one fold, where speakers are known (scikit-learn's StratifiedGroupKFold, shuffled by `seed`).

    Raises InputError where there are too few speakers for that: fewer than folds, or an emotion of which two folds hold
    every clip, so that a head that tests on one and validates on the other would never see it.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # half a second that other users of the pools are spared

    groups = [("speaker", clip.speaker) if clip.speaker else ("clip", clip.clip_id) for clip in labelled]
    number = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    cure = "label clips of more speakers, or lower discriminative.folds"
    if len(number) < count:
        raise InputError(f"{len(number)} speakers cannot be told apart in {count} folds; {cure}.")
    emotions = np.array([SIX_WAY.index(clip.emotion) for clip in labelled])
    folds = np.full(len(labelled), -1)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a rare class: checked below, by emotion
        for fold, (_, rows) in enumerate(splitter.split(emotions, emotions, [number[group] for group in groups])):
            folds[rows] = fold
    of_group = {(group, int(fold)) for group, fold in zip(groups, folds, strict=True)}
    if len(of_group) != len(number) or folds.min() < 0:
        raise RuntimeError("a speaker fell into two folds")
    if len(np.unique(folds)) < count:
        raise InputError(f"{len(number)} speakers leave one of {count} folds empty; {cure}.")
    for index, emotion in enumerate(SIX_WAY):
        holding = np.unique(folds[emotions == index])
        if 0 < len(holding) < min(3, count):
            raise InputError(f"All clips of {emotion!r} fall into {len(holding)} of {count} folds; {cure}.")
    return folds


def _all(pools: Pools) -> Iterator[Clip]:
    for field in fields(pools):
        yield from getattr(pools, field.name)


def _media(clip: Clip) -> list[tuple[Path, int]]:
    """The clip's files and their sizes; those that are missing or empty hold nothing that could leak."""
    found = []
    for name in dict.fromkeys((clip.video, clip.audio)):
        try:
            size = Path(name).stat().st_size if name else 0
        except OSError:
            size = 0
        found += [(Path(name), size)] if size else []
    return found


def _check(pools: Pools, what: str, keys: Callable[[Clip], Iterable[Hashable]], within: bool) -> None:
    """Raise InputError where two pools share a key; `within`: or two labelled clips do."""
    seen: dict[Hashable, tuple[str, Clip]] = {}
    for field in fields(pools):
        for clip in getattr(pools, field.name):
            for key in keys(clip):
                pool, first = seen.setdefault(key, (field.name, clip))
                if first is not clip and (pool != field.name or (within and pool == "labelled")):
                    raise InputError(
                        f"{first.clip_id} ({pool}) and {clip.clip_id} ({field.name}) have {what}, so that what is "
                        "trained on would be tested; take one of them out."
                    )
