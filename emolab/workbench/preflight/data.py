"""What a run is given: clips counted by their lists alone, and a few of them opened to see how large they are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emolab.corpora import Clip
from emolab.corpora.ch_simsv2 import FOLDER
from emolab.corpora.mer2024 import LABELLED, PROCESSED, RELEASED, lists_of
from emolab.corpora.minigpt4 import annotations_of, read_minigpt4
from emolab.corpora.read import VIDEO_SUFFIXES
from emolab.corpora.readers import find_reader
from emolab.corpora.settings import CorpusSettings
from emolab.corpora.stills import IMAGE_SUFFIXES, listed_stills, stills_below
from emolab.errors import InputError
from emolab.scoring.files import read_labels
from emolab.workbench.preflight.numbers import Span

_FRAMES = 6
_TEXT = 12  # characters of a transcript where nobody knows them


@dataclass(frozen=True)
class Counts:
    """How many clips of each kind a corpus holds, as the notebooks take them. `spoken`: different transcripts,
    `letters`: of all of these; `pictured`: share of the clips that hold pictures; `videos`: files that can be probed;
    `whose`: how the data were read."""

    clips: int = 0
    stills: int = 0
    labelled: int = 0  # with label sets
    test: int = 0  # of these, in the test split
    described: int = 0  # in the train split, with a description
    taught: int = 0  # of these, with label sets as well
    six: int = 0  # labelled with one of the six emotions
    unlabelled: int = 0  # of the pool of pseudo-labels
    judged: int = 0  # of the pool that only tests
    spoken: int = 0
    letters: int = 0
    minigpt4: int = 0
    pictured: Span = Span(0.9, 1.0, 1.0)
    videos: tuple[str, ...] = ()
    whose: str = ""


@dataclass(frozen=True)
class Sample:
    """What the probed clips are like (without any: what is taken for granted, `guessed`, from 0). Seconds of a clip,
    size of its picture, seconds of one core to decode six frames, bytes of a frame as JPEG; `said`: what was probed."""

    seconds: Span = Span(0.0, 5.0, 12.0)
    width: int = 1280
    height: int = 720
    decode: Span = Span(0.03, 0.15, 0.5)
    jpeg: Span = Span(0.0, 2e5, 5e5)
    probed: int = 0
    failed: tuple[str, ...] = field(default=())
    said: str = "no clip was opened: clips of about 5 s with pictures of 1280 x 720 are taken for granted"
    guessed: bool = True

    @property
    def pixels(self) -> Span:
        """Of a picture."""
        return Span(0.0 if self.guessed else 1.0, 1.0, 1.0) * (self.width * self.height)


DRAWN = Sample(
    Span(2, 3, 4),
    256,
    256,
    Span(0.004, 0.01, 0.03),
    Span(1e4, 2e4, 4e4),
    said="clips of 3 s that emolab draws",
    guessed=False,
)


def data_settings(folder: str | None) -> list[str]:
    """What `--data FOLDER` means as settings, by the layout in which its files lie. Raises InputError for a folder that
    is in none: MER2024 as released or processed, CH-SIMS v2, clips.jsonl, MiniGPT-4, videos, images."""
    if folder is None:
        return []
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"--data {folder}: no such folder; give the folder of your clips.")
    if annotations_of(root).is_file():
        return [f"corpus.minigpt4={folder}"]
    return [f"corpus.reader={_layout(root)}", f"corpus.root={folder}"]


def _layout(root: Path) -> str:
    if (root / "clips.jsonl").is_file():
        return "rows"
    if (root / "meta.csv").is_file() or (root / FOLDER / "meta.csv").is_file():
        return "ch_simsv2"
    if _is_mer2024(root):
        return "mer2024"
    for reader, suffixes in (("folder", VIDEO_SUFFIXES), ("images", IMAGE_SUFFIXES)):
        if any(path.suffix.lower() in suffixes for path in root.rglob("*")):
            return reader
    raise InputError(
        f"--data {root}: holds neither MER2024 (mer2024-dataset or mer2024-dataset-process), CH-SIMS v2 (meta.csv), "
        "clips.jsonl, MiniGPT-4 (filter_cap.json), videos nor images; give the folder that does."
    )


def _is_mer2024(root: Path) -> bool:
    """By the release's names below it, or one of its lists: many a folder has one that is called `video`. Raises
    InputError where both of its forms are there."""
    try:
        return bool(lists_of(root)) or any(
            each.name in (RELEASED, PROCESSED) for each in (root.absolute(), *_below(root))
        )
    except InputError:
        if _below(root) or (root / LABELLED).is_dir():
            raise
        return False


def _below(root: Path) -> list[Path]:
    return [root / name for name in (RELEASED, PROCESSED) if (root / name).is_dir()]


def count_truth(path: str | None) -> Counts:
    """The clips of published predictions, by their file of true labels."""
    clips = len(read_labels(path)) if path else 0
    return Counts(clips, labelled=clips, whose=f"with true labels in {path}" if path else "(no file of true labels)")


def count(corpus: CorpusSettings) -> Counts:
    """Count what the profile's corpus holds, without opening a clip; the drawn corpus need not have been drawn. Raises
    InputError where there is no folder or its lists are damaged."""
    images = len(read_minigpt4(corpus.minigpt4)[0]) if corpus.minigpt4 else 0
    if corpus.reader == "drawn":
        clips = corpus.described + corpus.labelled + corpus.unlabelled
        return Counts(
            clips, corpus.stills, corpus.described, corpus.test, *(2 * [corpus.described - corpus.test]),
            corpus.labelled, corpus.unlabelled, corpus.described, clips, 60 * clips, images, Span.of(1.0),
            whose="drawn by emolab",
        )  # fmt: skip
    if corpus.root is None:
        raise InputError(
            "corpus.root is not set; --data FOLDER (or --set corpus.root=FOLDER) says where your clips lie"
        )
    root = Path(corpus.root).expanduser()
    if corpus.reader == "images":
        return Counts(stills=len(stills_below(root)), minigpt4=images, whose=f"images in {root}")
    clips, _ = find_reader(corpus.reader).read(root, corpus, 0)
    stills = len(listed_stills(root))
    return _counted(clips, stills, images, f"read as {corpus.reader} from {root}")


def _counted(clips: Sequence[Clip], stills: int, images: int, whose: str) -> Counts:
    labelled = [clip for clip in clips if clip.labels]
    described = [clip for clip in clips if clip.split == "train" and (clip.description or "").strip()]
    judged = [c for c in clips if c.labels is not None or c.description is not None or c.split == "test"]
    pools = {clip.clip_id for clip in judged}
    six = sum(1 for clip in clips if clip.emotion is not None and clip.clip_id not in pools)
    words = {clip.transcript for clip in clips if clip.transcript.strip()}
    letters = sum(map(len, words)) or _TEXT * len(clips)
    return Counts(
        clips=len(clips),
        stills=stills,
        labelled=len(labelled),
        test=sum(clip.split == "test" for clip in labelled),
        described=len(described),
        taught=sum(bool(clip.labels) for clip in described),
        six=six,
        unlabelled=len(clips) - len(judged) - six,
        judged=len(judged),
        spoken=len(words),
        letters=letters,
        minigpt4=images,
        pictured=_pictured(clips),
        videos=tuple(clip.video for clip in clips if clip.video),
        whose=whose,
    )


def _pictured(clips: Sequence[Clip]) -> Span:
    """Share with pictures; nearly all samplenew3_* of MER2024 hold sound alone."""
    silent = sum(clip.video is None for clip in clips)
    sound = sum(clip.corpus == "mer2024" and clip.clip_id.startswith("samplenew3_") for clip in clips)
    seen = len(clips) - silent - sound
    share = [(seen + extra * sound) / max(1, len(clips)) for extra in (0.0, 0.05, 0.3)]
    return Span(0.9 * share[0], *share[1:])


def look(counts: Counts, seed: int = 0, clips: int = 5) -> Sample:
    """Open a few clips, drawn with the seed: header, six frames decoded, each as JPEG. Those that cannot be read are
    named in `failed`; where none can, the Sample is what is taken for granted."""
    import numpy as np

    from emolab.media.errors import MediaError
    from emolab.media.probe import read_header

    chosen = np.random.default_rng(seed).permutation(len(counts.videos))[:clips]
    seconds, sizes, times, pictures, failed = [], [], [], [], []
    for number in sorted(chosen.tolist()):
        path = counts.videos[number]
        try:
            header = read_header(path)
            if header.video is not None:
                took, bytes_ = _decoded(path)
                times.append(took)
                pictures += bytes_
                sizes.append((header.width, header.height))
            if header.duration == header.duration:
                seconds.append(header.duration)
        except MediaError as error:
            failed.append(str(error))
    if not sizes:
        why = f"none of {len(chosen)} probed clips could be opened ({failed[0]})" if failed else "no clip to be opened"
        return Sample(failed=tuple(failed), said=f"{why}: {Sample.said.partition(': ')[2]}")
    width, height = (int(statistics.median(side)) for side in zip(*sizes, strict=True))
    length = _around(seconds) if seconds else Sample.seconds
    said = f"{len(sizes)} of {len(chosen)} probed clips opened (chosen with seed {seed}): "
    said += f"{length.low:.1f} to {length.high:.1f} s, {width} x {height}, "
    said += f"six frames in {statistics.fmean(times):.2g} s of one core"
    if failed:
        said += f"; {len(failed)} could not be read, the first: {failed[0]}"
    return Sample(length, width, height, _around(times), _around(pictures), len(sizes), tuple(failed), said, False)


def _decoded(path: str) -> tuple[float, list[float]]:
    """Seconds to decode six frames, and the bytes of each as notebook 01 would keep it."""
    import io

    from PIL import Image

    from emolab.captions.images import QUALITY
    from emolab.media.sampling import six_frames

    began = time.perf_counter()
    images = six_frames(path, clip_id=path, parts=_FRAMES).images
    took, sizes = time.perf_counter() - began, []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY)
        sizes.append(float(buffer.tell()))
    return took, sizes


def _around(values: Sequence[float]) -> Span:
    """The mean, with two standard errors on either side: over many clips it is the mean that counts."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Span(mean / 2, mean, mean * 2)
    error = statistics.stdev(values) / len(values) ** 0.5
    return Span(max(mean - 2 * error, mean / 3), mean, mean + 2 * error)
