"""MER2024, the corpus of MER2024-SEMI and of the paper: as released, and as its toolkit (MERTools) rewrites it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from emolab.corpora.clip import SIX_WAY, Clip
from emolab.corpora.files import csv_rows
from emolab.corpora.object_npz import read_object_npz
from emolab.corpora.read import split_ids
from emolab.errors import InputError
from emolab.labels.parse import parse_label_cell

RELEASED, PROCESSED = "mer2024-dataset", "mer2024-dataset-process"
LABELLED, UNLABELLED = "video-labeled", "video-unlabeled-with-test2noise"
SUFFIXES = (".mp4", ".avi")

_VIDEOS = {RELEASED: (LABELLED, UNLABELLED), PROCESSED: ("video",)}
# What clips have from which file; where several are named, the best first (merge: recognised speech, then checked)
_COMMON = {"description": ("final-EMER-reason.csv",), "open-vocabulary label": ("final-openset-english.csv",)}
_LISTS = {
    RELEASED: {
        "emotion": ("label-disdim.csv",),
        "transcript": ("label-transcription.csv",),
        **_COMMON,
    },
    PROCESSED: {
        "emotion": ("label-6way.npz",),
        "transcript": ("transcription-merge.csv", "transcription_merge.csv", "transcription.csv"),
        **_COMMON,  # to be copied here: else nobody knows which clips only test
    },
}
_SOURCE = {
    RELEASED: "MER2024's release (gated: sign the EULA at huggingface.co/datasets/MERChallenge/MER2024)",
    PROCESSED: "MERTools, run on the gated release (MER2024/toolkit/preprocess/mer2024.py and main-asr.py)",
}
_CHINESE = ("chinese", "sentence")


def read_mer2024(root: str | Path, test: int = 0, seed: int = 0) -> tuple[list[Clip], list[str]]:
    """The clips whose videos are there, sorted by name, and a sentence for each thing that is missing or left out:
    files and folders first, then single clips. `root` is the folder mer2024-dataset (as released),
    mer2024-dataset-process (as the toolkit rewrites it), or the one above one of them.

    `emotion` is one of SIX_WAY for labelled clips, all others are unlabelled; split is "test" for the processed form's
    test1_corpus. Of the described clips with labels `test` are drawn with the seed for the test split, at most a
    quarter, and the others train: the release names no split, and the paper's (266 and 66) was never published. Of any
    other clip, and with 0, split is None. The transcript is English where there is any, else Chinese. The sound is
    `audio/<name>.wav` where that is there, else the video's own: most samplenew3_* hold no picture, which is seen when
    they are opened.

    Raises InputError where no video is there, and for a list that is damaged or says what it cannot mean.
    """
    form, folder = _find(root)
    lists, lost = _lists(form, folder), []
    for what, names in _LISTS[form].items():
        if what not in lists:
            holds = f"holds no {' or '.join(names)}, where the clips' {what}s stand"
            lost.append(f"{folder}: {holds}; it comes from {_SOURCE[RELEASED if names in _COMMON.values() else form]}.")
    videos = _videos(form, folder, lost)
    if not videos:
        where = " or ".join(_VIDEOS[form])
        raise InputError(f"{folder}: holds no .mp4 or .avi in {where}; the videos come from {_SOURCE[form]}.")

    emotions: dict[str, tuple[str, str | None]] = {}
    if "emotion" in lists:
        emotions = _six_way(lists["emotion"], lost) if form == PROCESSED else _discrete(lists["emotion"])
    spoken = _texts(lists["transcript"]) if "transcript" in lists else {}
    described = _texts(lists["description"]) if "description" in lists else {}
    labels = _labels(lists["open-vocabulary label"]) if "open-vocabulary label" in lists else {}
    for what, table in (("emotion", emotions), ("description", described), ("open-vocabulary label", labels)):
        absent = (name for name in table if name not in videos)
        lost.extend(f"{lists[what]}: {name!r} has no video in {' or '.join(_VIDEOS[form])}." for name in absent)

    sounds = _sounds(folder) if form == PROCESSED else {}
    named = {name for name, (_, split) in emotions.items() if split}
    known = [name for name in videos if labels.get(name) and described.get(name, ("", ""))[0] and name not in named]
    known = known if test else []
    tested = split_ids(known, min(test, len(known) // 4), seed)
    splits = {name: "test" if name in tested else "train" for name in known}
    clips = []
    for name, video in sorted(videos.items()):
        emotion, split = emotions.get(name, (None, None))
        transcript, language = spoken.get(name, ("", "chinese"))
        description = described.get(name, ("", ""))[0] or None
        audio = sounds.get(name, video)
        about = {"split": split or splits.get(name), "emotion": emotion}
        about |= {"labels": labels.get(name), "description": description}
        clips.append(Clip(name, video, audio, transcript, language, **about, corpus="mer2024"))
    return clips, lost


def lists_of(root: str | Path) -> dict[str, Path]:
    """What clips have (emotion, transcript, …) -> the file that says it, of those that are there. Raises InputError."""
    return _lists(*_find(root))


def _find(root: str | Path) -> tuple[str, Path]:
    """RELEASED or PROCESSED, and its folder: named so below `root`, or `root` itself by what it holds."""
    root = Path(root).expanduser().absolute()
    marks = {form: [*_VIDEOS[form], *_LISTS[form]["emotion"]] for form in _VIDEOS}
    found = [(form, root / form) for form in marks if (root / form).is_dir()]
    found = found or [(form, root) for form in marks if any((root / mark).exists() for mark in marks[form])]
    if not found:
        wanted = " nor ".join(f"{form} ({', '.join(names)})" for form, names in marks.items())
        raise InputError(f"{root}: holds neither {wanted}; point corpus.root at one, from {_SOURCE[RELEASED]}.")
    if len(found) > 1:
        raise InputError(f"{root}: holds MER2024 both as released and as processed; point corpus.root at one of them.")
    return found[0]


def _lists(form: str, folder: Path) -> dict[str, Path]:
    first = {what: next((n for n in names if (folder / n).is_file()), None) for what, names in _LISTS[form].items()}
    return {what: folder / name for what, name in first.items() if name}


def _videos(form: str, folder: Path, lost: list[str]) -> dict[str, str]:
    """Clip -> its video; of two with one name the first stays, so that a labelled clip is never unlabelled as well."""
    videos: dict[str, str] = {}
    single: list[str] = []
    for below in _VIDEOS[form]:
        try:
            names = _names(folder / below)
        except FileNotFoundError:
            lost.append(f"{folder / below}: no such folder, and it holds videos; they come from {_SOURCE[form]}.")
            continue
        other = []
        for file in names:
            name, suffix = os.path.splitext(file)
            path = os.path.join(folder, below, file)
            if suffix.lower() not in SUFFIXES:
                other.append(file)
            elif not name.isprintable():  # as are bytes that are no UTF-8
                single.append(f"{folder / below}: {file!r} is left out, its name holds signs that cannot be written.")
            elif name in videos:
                single.append(f"{path}: left out, the clip {name!r} has another video as well: {videos[name]}.")
            else:
                videos[name] = path
        if other:
            told = f"holds {len(other)} that are no .mp4 or .avi and are left out, the first {other[0]!r}"
            lost.append(f"{folder / below}: {told}.")
    lost += single
    return videos


def _sounds(folder: Path) -> dict[str, str]:
    """Clip -> its file in `audio`; none where there is no such folder."""
    try:
        names = _names(folder / "audio")
    except FileNotFoundError:
        return {}
    return {name[:-4]: os.path.join(folder, "audio", name) for name in names if name.lower().endswith(".wav")}


def _names(folder: Path) -> list[str]:
    """What lies in a folder, sorted; hidden names are passed over. Raises FileNotFoundError, InputError."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); check its permissions.") from None


def _discrete(path: Path) -> dict[str, tuple[str, str | None]]:
    """Clip -> its emotion and no split."""
    emotions = {}
    for where, name, (word,) in _rows(path, ("name",), ("discrete",)):
        if word not in SIX_WAY:
            raise InputError(f"{where}: discrete is {word!r}; one of {', '.join(SIX_WAY)}.")
        emotions[name] = (word, None)
    return emotions


def _six_way(path: Path, lost: list[str]) -> dict[str, tuple[str, str | None]]:
    """Clip -> its emotion and split. The toolkit calls every unlabelled clip "neutral" in test1_corpus, to fill the
    place: that is no label, and goes to `lost`."""
    tables = read_object_npz(path, ("train_corpus", "test1_corpus"))
    if not tables.get("train_corpus"):
        raise InputError(f"{path}: holds no train_corpus; it comes from {_SOURCE[PROCESSED]}.")
    emotions: dict[str, dict[str, str]] = {}
    for corpus, table in tables.items():
        emotions[corpus] = {name: row.get("emo") for name, row in table.items()}
        for name, word in emotions[corpus].items():
            if word not in SIX_WAY:
                raise InputError(f"{path}: {corpus} says {word!r} of {name!r}; one of {', '.join(SIX_WAY)}.")
    train, test = emotions["train_corpus"], emotions.get("test1_corpus", {})
    if set(test.values()) == {"neutral"}:
        told = "are all neutral, which MERTools writes where it knows no label"
        lost.append(f"{path}: the {len(test)} clips of test1_corpus {told}; they count as unlabelled.")
        test = {}
    for name in sorted(test.keys() & train.keys()):
        raise InputError(f"{path}: {name!r} stands in train_corpus and in test1_corpus; take it out of one.")
    return {name: (word, None) for name, word in train.items()} | {name: (word, "test") for name, word in test.items()}


def _texts(path: Path) -> dict[str, tuple[str, str]]:
    """Clip -> text and its language: English where there is any, else Chinese."""
    texts = {}
    # Without an English column the Chinese one is read twice, and a text that is the same in both is Chinese
    for _, name, cells in _rows(path, ("name",), _CHINESE, ("english", *_CHINESE)):
        chinese, english = ("" if cell.strip().lower() == "nan" else cell for cell in cells)
        texts[name] = (english, "english") if english.strip() and english != chinese else (chinese, "chinese")
    return texts


def _labels(path: Path) -> dict[str, tuple[str, ...]]:
    """Clip -> open-vocabulary labels: the first column is the name, the second a list, whatever they are called."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = [name.strip() for name in next(csv.reader(file), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        header = []  # what is wrong is said where the rows are read
    name, labels = header[:2] if header[1:] else ("name", "openset")
    return {clip: tuple(parse_label_cell(cell)) for _, clip, (cell,) in _rows(path, (name,), (labels,))}


def _rows(path: Path, *columns: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """(file and line, clip, other cells) of a list with one row a clip. Raises InputError."""
    seen = set()
    for where, (name, *cells) in csv_rows(path, *columns):
        if not name:
            raise InputError(f"{where}: has no name; name the clip or delete the line.")
        if name in seen:
            raise InputError(f"{where}: {name!r} stands twice; each clip has one row.")
        seen.add(name)
        yield where, name, cells
