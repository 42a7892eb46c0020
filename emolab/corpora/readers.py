"""Every layout of clips by its name, as `corpus.reader` says it: emolab's own, and those that extensions register."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from emolab.corpora.ch_simsv2 import FOLDER, read_ch_simsv2
from emolab.corpora.clip import Clip
from emolab.corpora.mer2024 import lists_of, read_mer2024
from emolab.corpora.read import clips_of, read_folder, read_rows
from emolab.corpora.stills import stills_below
from emolab.errors import InputError
from emolab.extensions import Registry, told

if TYPE_CHECKING:
    from emolab.corpora.settings import CorpusSettings

Clips = Iterable[Clip]
Function = TypeVar("Function", bound=Callable[[Path, "CorpusSettings", int], Clips])


@dataclass(frozen=True)
class Reader:
    """`read(root, corpus, seed)`: the clips, and a sentence for each thing that is missing or left out. `lists(root)`:
    the files that say what the clips are, as far as they are there, for a run to record; without any, all of `root`."""

    read: Callable[[Path, CorpusSettings, int], tuple[list[Clip], list[str]]]
    lists: Callable[[Path], Iterable[Path]] = lambda root: ()


def _named(*names: str) -> Callable[[Path], list[Path]]:
    return lambda root: [root / name for name in names if (root / name).is_file()]


def _images(root: Path, corpus: CorpusSettings, seed: int) -> tuple[list[Clip], list[str]]:
    stills_below(root)  # says now, not when the images are taken, that there is none
    return [], []


_ROWS = Reader(lambda root, corpus, seed: (read_rows(root), []), _named("clips.jsonl", "stills.jsonl"))
OWN = {
    "drawn": _ROWS,  # as it is rendered
    "rows": _ROWS,
    "folder": Reader(lambda root, corpus, seed: (read_folder([root], corpus.transcripts), [])),
    "images": Reader(_images),
    "ch_simsv2": Reader(
        lambda root, corpus, seed: (read_ch_simsv2(root), []), _named("meta.csv", f"{FOLDER}/meta.csv")
    ),
    "mer2024": Reader(
        lambda root, corpus, seed: read_mer2024(root, corpus.test, seed), lambda root: lists_of(root).values()
    ),
}
REGISTERED: Registry[Reader] = Registry("corpus reader", OWN)


def find_reader(name: str) -> Reader:
    """The reader of a name. InputError names the known ones."""
    known = {**OWN, **REGISTERED}
    if name not in known:
        raise InputError(
            f"corpus.reader is {name!r}; one of {', '.join(known)}, or what a file in extensions/ registers."
        )
    return known[name]


def reader(name: str, lists: Sequence[str] = ()) -> Callable[[Function], Function]:
    """Register a function as `corpus.reader=NAME`: `read(root, corpus, seed)` gives the Clips of the folder `root`.

    Names of videos and sounds may start at `root` and must lie inside it; one that is not there fails where it is
    needed. `lists`: names below `root` of the files that say what the clips are; a run is repeated when they change
    (without any, when anything below `root` does). Rows that are no Clips, or not as a Clip has to be, are an
    InputError.
    """

    if isinstance(lists, str):
        raise InputError(f"corpus reader {name!r}: lists takes several names, not one text.")

    def register(function: Function) -> Function:
        def read(root: Path, corpus: CorpusSettings, seed: int) -> tuple[list[Clip], list[str]]:
            root, rows = root.absolute(), []
            with told(f"corpus reader {name!r}"):
                clips = list(function(root, corpus, seed))
            for number, clip in enumerate(clips, 1):
                if not isinstance(clip, Clip):
                    raise InputError(f"corpus reader {name!r}: gave {clip!r:.60}, which is no emolab.corpora.Clip.")
                labels = list(clip.labels) if isinstance(clip.labels, tuple) else clip.labels
                rows.append((f"corpus reader {name!r}, clip {number}", {**vars(clip), "labels": labels}))
            return clips_of(rows, root), []

        REGISTERED.add(name, Reader(read, _named(*lists)))
        return function

    return register
