"""The clips of a profile: drawn on the spot, or read from the user's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emolab.corpora import Clip, read_folder, read_rows
from emolab.corpora.ch_simsv2 import FOLDER, read_ch_simsv2
from emolab.corpora.mer2024 import lists_of, read_mer2024
from emolab.corpora.minigpt4 import annotations_of
from emolab.corpora.settings import CorpusSettings
from emolab.corpora.stills import stills_below
from emolab.errors import InputError
from emolab.workbench.places import outputs_folder
from emolab.workbench.settings import Settings
from emolab.workbench.tables import printable


def open_corpus(settings: Settings) -> tuple[Path, list[Clip]]:
    """The corpus folder and its clips (none in a folder of images); the drawn corpus is rendered first where it is not
    there yet. Of MER2024, a line is printed where parts are missing.

    Raises InputError where the profile names no folder, or one that cannot be read.
    """
    corpus = settings.corpus
    if corpus.reader == "drawn":
        from emolab.demo.corpus import render

        folder = Path(corpus.root).expanduser() if corpus.root else outputs_folder(settings.outputs)
        root = render(folder, corpus, settings.seed)
        return root, read_rows(root)
    if corpus.root is None:
        raise InputError(f"Profile {settings.profile} needs the folder of your clips: --set corpus.root=FOLDER.")
    root = Path(corpus.root).expanduser()
    return root, _read(corpus, root, settings.seed)


def _read(corpus: CorpusSettings, root: Path, seed: int) -> list[Clip]:
    if corpus.reader == "folder":
        return read_folder([root], corpus.transcripts)
    if corpus.reader == "images":
        stills_below(root)  # says now, not when the images are taken, that there is none
        return []
    if corpus.reader == "mer2024":
        clips, lost = read_mer2024(root, corpus.test, seed)
        if lost:
            print(printable(f"MER2024: {len(lost)} missing or left out; the first: {' '.join(lost[:3])}"))
        return clips
    return read_rows(root) if corpus.reader == "rows" else read_ch_simsv2(root)


def labelled_clips(clips: Sequence[Clip]) -> list[Clip]:
    """The clips with label sets, which scores need. Raises InputError where there is none."""
    found = [clip for clip in clips if clip.labels]
    if not found:
        raise InputError(f"none of the {len(clips)} clips has labels, and without them nothing can be compared.")
    return found


def picture_labels(settings: Settings, root: Path, clips: Sequence[Clip]) -> dict[str, list[str]]:
    """clip_id -> true labels to measure captions against: what a picture was drawn to show, or else the clips' own."""
    if settings.corpus.reader == "drawn":
        from emolab.demo.truth import picture_truth

        return picture_truth(root)
    return {clip.clip_id: list(clip.labels) for clip in clips if clip.labels}


def six_way_truth(settings: Settings, root: Path, clips: Sequence[Clip]) -> list[str | None] | None:
    """The emotion of the six that each clip was drawn to show, None for another one: to measure pseudo-labels by. None
    where nobody knows."""
    if settings.corpus.reader != "drawn":
        return None
    from emolab.demo.truth import six_way

    meant = six_way(root)
    return [meant[clip.clip_id] for clip in clips]


def corpus_name(settings: Settings, root: Path) -> str:
    """What tables and figures call the corpus."""
    return "drawn corpus" if settings.corpus.reader == "drawn" else root.resolve().name


def corpus_files(settings: Settings, root: Path) -> dict[str, Path]:
    """Name -> what of a corpus a run is recorded to have read: the lists of the layouts that have some (a release of
    gigabytes is not hashed), else the folder itself."""
    lists = {"drawn": ("clips.jsonl", "stills.jsonl"), "rows": ("clips.jsonl", "stills.jsonl")}
    lists["ch_simsv2"] = ("meta.csv", f"{FOLDER}/meta.csv")
    found = {Path(name).stem: root / name for name in lists.get(settings.corpus.reader, ()) if (root / name).is_file()}
    if settings.corpus.reader == "mer2024":
        found = {path.stem: path for path in lists_of(root).values()}
    if settings.corpus.minigpt4:
        found["minigpt4"] = annotations_of(settings.corpus.minigpt4)
    return found if found.keys() - {"minigpt4"} else {"clips": root, **found}
