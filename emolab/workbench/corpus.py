"""The clips of a profile: drawn on the spot, or read from the user's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emolab.corpora import Clip
from emolab.corpora.minigpt4 import annotations_of
from emolab.corpora.readers import find_reader
from emolab.errors import InputError
from emolab.workbench.places import outputs_folder
from emolab.workbench.session import Run
from emolab.workbench.settings import Settings
from emolab.workbench.tables import printable


def open_corpus(settings: Settings) -> tuple[Path, list[Clip]]:
    """The corpus folder and its clips (none in a folder of images); the drawn corpus is rendered first where it is not
    there yet. Where parts of a corpus are missing, a line is printed.

    Raises InputError where the profile names no folder, or one that cannot be read.
    """
    corpus = settings.corpus
    if corpus.reader == "drawn":
        from emolab.demo.corpus import render

        folder = Path(corpus.root).expanduser() if corpus.root else outputs_folder(settings.outputs)
        root = render(folder, corpus, settings.seed)
    elif corpus.root is None:
        raise InputError(f"Profile {settings.profile} needs the folder of your clips: --set corpus.root=FOLDER.")
    else:
        root = Path(corpus.root).expanduser()
    clips, lost = find_reader(corpus.reader).read(root, corpus, settings.seed)
    if lost:
        print(printable(f"{corpus.reader}: {len(lost)} missing or left out; the first: {' '.join(lost[:3])}"))
    return root, clips


def use_corpus(run: Run) -> tuple[Path, list[Clip]]:
    """`open_corpus` for a run, with what is read named to it."""
    root, clips = open_corpus(run.settings)
    for label, path in corpus_files(run.settings, root).items():
        run.use(label, path)
    return root, clips


def use_scoring(run: Run) -> None:
    """Name to a run the files by which it scores, where the profile names some."""
    for label in ("grouping", "tables"):
        source = getattr(run.settings.scoring, label)
        if source and Path(source).expanduser().exists():
            run.use(label, Path(source).expanduser())


def labelled_clips(clips: Sequence[Clip]) -> list[Clip]:
    """The clips with label sets, which scores need. Raises InputError where there is none."""
    found = [clip for clip in clips if clip.labels]
    if not found:
        cure = "give a folder with a clips.jsonl whose rows have labels"
        raise InputError(f"none of the {len(clips)} clips has labels, without which nothing can be compared: {cure}.")
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


def kind_of(whose: str) -> str:
    """What notes under tables call the clips of a corpus of that name."""
    return "drawn clips, not real people" if whose == "drawn corpus" else whose


def corpus_files(settings: Settings, root: Path) -> dict[str, Path]:
    """Name -> what of a corpus a run is recorded to have read: the lists of the layouts that have some (a release of
    gigabytes is not hashed), else the folder itself."""
    found: dict[str, Path] = {}
    for path in find_reader(settings.corpus.reader).lists(root):
        found[path.stem if path.stem not in found else path.relative_to(root).as_posix()] = path
    files = found or {"clips": root}
    if settings.corpus.transcripts:
        files["transcripts"] = Path(settings.corpus.transcripts).expanduser()
    if settings.corpus.minigpt4:
        files["minigpt4"] = annotations_of(settings.corpus.minigpt4)
    return files
