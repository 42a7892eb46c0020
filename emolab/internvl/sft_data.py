"""What InternVL is fine-tuned on: kept captions, MiniGPT-4's, and described clips (sections 3.1.1 and 3.1.2)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from emolab.captions.training_set import validate
from emolab.corpora.clip import Clip
from emolab.engine.chat import plain
from emolab.engine.rows import read_rows, write_rows
from emolab.errors import InputError
from emolab.internvl.prompts import zero_shot
from emolab.media.errors import MediaError
from emolab.media.settings import FrameSettings
from emolab.media.views import clip_frames


def description_rows(
    clips: Iterable[Clip], frames: FrameSettings, seed: int, folder: Path, progress: bool = True
) -> tuple[list[dict], list[str]]:
    """ms-swift rows of described clips of the train split, and one sentence for each clip that has no picture.

    The question is section 2.1's, the answer the description and the label list; the six frames are kept in `folder`.
    """
    chosen = [clip for clip in clips if clip.split == "train" and clip.description and clip.labels]
    return answer_rows(chosen, frames, seed, folder, progress)


def answer_rows(
    clips: Iterable[Clip], frames: FrameSettings, seed: int, folder: Path, progress: bool = True
) -> tuple[list[dict], list[str]]:
    """The same of any clips with labels, also without a description: the answer is then the list alone."""
    rows, problems = [], []
    for clip in tqdm(list(clips), desc="frames of described clips", unit="clip", mininterval=1.0, disable=not progress):
        try:
            images = clip_frames(clip, frames, seed).images
        except MediaError as error:
            problems.append(str(error))
            continue
        paths = [_picture(folder, clip, number) for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        question = "<image>" * len(images) + plain(zero_shot(clip.transcript))
        answer = plain(f"{clip.description or ''} [{', '.join(clip.labels or ())}]".strip())
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        about = {"clip_id": clip.clip_id, "corpus": clip.corpus, "source": "described"}
        rows.append({"messages": messages, "images": [str(path.absolute()) for path in paths], **about})
    return rows, problems


def _picture(folder: Path, clip: Clip, number: int) -> Path:
    # ids may hold slashes or be as long as a path: the name of the file is not the id
    name = hashlib.blake2b(clip.clip_id.encode(), digest_size=12).hexdigest()
    return folder / f"{name}_{number}.png"


def training_file(captions: Path, descriptions: Sequence[dict], path: Path) -> dict[str, int]:
    """Write captions (a file of notebook 02) and description rows to `path`, checked; returns counts by source.

    Raises InputError (see `validate`): no rows, a missing or broken image, tags that do not match.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, [*read_rows(captions), *descriptions])
    return validate(path)


def trained_clips(path: Path) -> list[dict[str, str]]:
    """corpus and clip_id of every clip that a training file holds; rows of images that belong to no clip have none."""
    found = Counter((row.get("corpus") or "", row["clip_id"]) for row in read_rows(path) if row.get("clip_id"))
    return [{"corpus": corpus, "clip_id": clip_id} for corpus, clip_id in sorted(found)]


def leaks(trained: Iterable[dict[str, str]], clips: Iterable[Clip]) -> list[str]:
    """Ids of `clips` that were trained on. Ids alone decide, whatever the corpora are called: MER's releases share
    clips (548 names of MER2026 stand in two of its train files)."""
    known = {each["clip_id"] for each in trained}
    return [clip.clip_id for clip in clips if clip.clip_id in known]


LEAVE_OUT = "set sft.descriptions true, which leaves them out of the scores, or take them out of the training file"


def unseen(
    trained: Iterable[dict[str, str]], clips: Sequence[Clip], allowed: bool = False, cure: str = LEAVE_OUT
) -> list[Clip]:
    """The clips that may be scored. Raises InputError (which ends with `cure`) where some were trained on, unless that
    is `allowed`: then those are left out."""
    leaked = set(leaks(trained, clips))
    if leaked and not allowed:
        some = ", ".join(sorted(leaked)[:3])
        raise InputError(f"{len(leaked)} of {len(clips)} clips to be scored were trained on ({some}, …); {cure}.")
    return [clip for clip in clips if clip.clip_id not in leaked]
