"""The images that are described (section 3.1.2): frames of clips and single pictures, duplicates told apart.

Frames are decoded once, in threads, and kept as JPEG files; a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import imagehash
import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from emolab.captions.settings import ImageSettings
from emolab.corpora.clip import Clip
from emolab.corpora.stills import listed_stills, stills_below
from emolab.engine.rows import RowFile
from emolab.errors import EmolabError, InputError, RunError
from emolab.media.decode import decode_frames
from emolab.media.errors import MediaError
from emolab.media.sampling import draw_positions
from emolab.media.stills import open_still
from emolab.whole import whole

QUALITY = 95
LABELLED = "the clip carries a label set, and notebook 03 is scored on such clips (images.labelled: true takes it)"
# Part of the key under which frames are known: other versions may give other bytes
_VERSIONS = (2, QUALITY, av.__version__, PIL.__version__, imagehash.__version__)


@dataclass(frozen=True)
class _Source:
    """A clip or a still that gives images."""

    clip_id: str
    path: str | None
    still: bool = False
    left_out: str | None = None


def collect_images(
    clips: Sequence[Clip],
    root: str | Path,
    settings: ImageSettings,
    folder: str | Path,
    seed: int = 0,
    *,
    progress: bool = True,
    workers: int | None = None,
) -> list[dict]:
    """One Image row a frame or still, in the order of clips and stills: image_id, clip_id, image, time (seconds),
    position, kept, reason, error, problem. `root` is the corpus folder; without clips, all pictures below it count.

    `image` is relative to `folder` (frames, `images/*.jpg`) or absolute (stills). A clip or still that gives no image
    has one row with `error`, a clip with a label set one with `reason`; `problem` tells of damage to a file that still
    gave images. Input, settings and seed decide the rows. Raises InputError where there is nothing to describe.
    """
    sources = _sources(clips, root, settings, seed)
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with RowFile(folder / "decoded.jsonl") as known, ThreadPoolExecutor(workers) as pool:
        for torn in (folder / "images").glob(".*.partial"):  # of a run that was killed; the row file keeps others out
            torn.unlink()
        done = pool.map(lambda source: _decoded(source, settings, seed, folder, known), sources)
        bar = tqdm(done, "taking images", len(sources), unit="clip", mininterval=1.0, disable=not progress)
        results = []
        for result in bar:
            if "key" in result:
                known.append([result])
            results.append(result)
    return _rows(sources, results, settings.duplicate_distance)


def file_name(image_id: str) -> str:
    """A file name for an image of any id: the id where it is plain and short, else a part of it and a hash."""
    plain = re.sub(r"[^\w.-]", "_", image_id)[:50].lstrip(".-")
    if plain and plain == image_id:
        return f"{image_id}.jpg"
    return f"{plain}~{_digest(image_id.encode('utf-8', 'surrogatepass'))}.jpg"  # no plain id has a ~


def _sources(clips: Sequence[Clip], root: str | Path, settings: ImageSettings, seed: int) -> list[_Source]:
    barred = {clip.clip_id for clip in clips if clip.labels and not settings.labelled}
    sources = [_Source(c.clip_id, c.video, left_out=LABELLED if c.clip_id in barred else None) for c in clips]
    stills = listed_stills(root) if settings.stills or not clips else []
    sources += [_Source(s.clip_id, s.image, still=True) for s in (stills if clips or stills else stills_below(root))]
    open_ = [source for source in sources if not source.left_out]
    if not open_:
        raise InputError(
            f"{root}: all {len(clips)} clips carry label sets and no stills are there, so nothing is left to describe; "
            "give clips without labels, or set images.labelled=true where notebook 03 is not scored on these."
        )
    if settings.limit is not None:
        drawn = set(sorted(open_, key=lambda s: _digest(f"{seed}\0{s.still}\0{s.clip_id}".encode()))[: settings.limit])
        sources = [source for source in sources if source.left_out or source in drawn]
    return sources


def _decoded(source: _Source, settings: ImageSettings, seed: int, folder: Path, known: RowFile) -> dict:
    """What a source gives: its images, with a `key` that belongs in the row file, or its `error`. Keeps no pixels."""
    if source.left_out:
        return {"images": []}
    try:
        if source.path is None:
            raise MediaError(f"{source.clip_id}: has no video, and a caption needs a picture; give its file.")
        key = _key(source, settings, seed)
        if key in known and all(_there(folder, image) for image in known[key]["images"]):
            return known[key]
        images, problem = ([_still(source, folder)], None) if source.still else _frames(source, settings, seed, folder)
        return {"key": key, "clip_id": source.clip_id, "images": images, "problem": problem}
    except MediaError as error:
        return {"images": [], "error": str(error)}
    except EmolabError:
        raise
    except Exception as error:  # whatever a strange file does to a library is this row's error, not the run's end
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        return {"images": [], "error": f"{source.clip_id}: cannot be read ({reason})."}


def _key(source: _Source, settings: ImageSettings, seed: int) -> str:
    """Changes with the file, with what is taken of it, and with the libraries that take it."""
    try:
        stat = os.stat(source.path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"{Path(source.path).name} cannot be read ({reason}); check the path.") from None
    taken = [] if source.still else [settings.frames_per_clip, settings.where, seed]
    parts = [source.clip_id, source.still, stat.st_size, stat.st_mtime_ns, *taken, *_VERSIONS]
    return _digest(json.dumps(parts).encode())


def _there(folder: Path, image: dict) -> bool:
    """Whether the file of a known frame is the one that was written; a still is known by its own file."""
    if "file" not in image:
        return True
    try:
        return _digest((folder / "images" / file_name(image["image_id"])).read_bytes()) == image["file"]
    except OSError:
        return False


def _frames(source: _Source, settings: ImageSettings, seed: int, folder: Path) -> tuple[list[dict], str | None]:
    def choose(count: int) -> list[int]:
        parts = settings.frames_per_clip
        if settings.where == "random":
            return sorted(set(draw_positions(count, parts, clip_id=source.clip_id, seed=seed)))
        return sorted({(2 * part + 1) * count // (2 * parts) for part in range(parts)})

    decoded = decode_frames(source.path, choose)
    images = []
    for pixels, position, time in zip(decoded.images, decoded.positions, decoded.times, strict=True):
        image_id, picture = f"{source.clip_id}_{position}", Image.fromarray(pixels)
        images.append(
            {
                "image_id": image_id, "position": position, "time": round(time, 3), "pixels": _pixels(pixels),
                "hash": str(imagehash.phash(picture)),
                "file": _save(picture, folder / "images" / file_name(image_id)),
            }
        )  # fmt: skip
    return images, decoded.problem


def _still(source: _Source, folder: Path) -> dict:
    """One that the camera turned is saved upright: ms-swift trains on the pixels as they lie."""
    if _utf8(source.path) != source.path:
        raise MediaError(
            f"{_utf8(Path(source.path).name)}: its path is no UTF-8 text, so rows cannot name it; rename it."
        )
    picture, turned = open_still(source.path)
    saved = {"file": _save(picture, folder / "images" / file_name(source.clip_id))} if turned else {}
    pixels = _pixels(np.asarray(picture))
    return {"image_id": source.clip_id, "position": None, "time": None, "pixels": pixels, **saved}


def _save(picture: Image.Image, path: Path) -> str:
    """Write a JPEG under a temporary name, then rename: whole or absent. Returns the digest of its bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    try:
        with whole(path) as partial:
            partial.write_bytes(buffer.getvalue())
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); make room or --set outputs=FOLDER.") from None
    return _digest(buffer.getvalue())


def _pixels(pixels: np.ndarray) -> str:
    return _digest(repr(pixels.shape).encode() + pixels.tobytes())


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _rows(sources: list[_Source], results: list[dict], distance: int) -> list[dict]:
    """Image rows; of images that are alike, the first is kept. In order, so the rows do not depend on the threads."""
    rows, taken, first = [], set(), {}
    for source, result in zip(sources, results, strict=True):
        error = result.get("error")
        blank = {"image_id": source.clip_id, "clip_id": source.clip_id, "image": None, "time": None, "position": None}
        blank |= {"kept": False, "reason": source.left_out, "error": error and _utf8(error), "problem": None}
        if not result["images"]:
            rows.append(blank)
        kept: dict[str, imagehash.ImageHash] = {}
        for image in result["images"]:
            image_id, hashed = image["image_id"], image.get("hash") and imagehash.hex_to_hash(image["hash"])
            row = blank | {name: image[name] for name in ("image_id", "time", "position")}
            rows.append(row)
            if image_id in taken:
                row["error"] = f"{image_id}: another image is called so as well; rename the still."
                continue
            taken.add(image_id)
            row["image"] = f"images/{file_name(image_id)}" if "file" in image else source.path
            row["problem"] = result.get("problem") and _utf8(result["problem"])
            near = next((other for other, theirs in kept.items() if hashed and hashed - theirs <= distance), None)
            if image["pixels"] in first:
                row["reason"] = f"identical to {first[image['pixels']]}"
            elif near is not None:
                row["reason"] = f"near-duplicate of {near}"
            else:
                row["kept"], first[image["pixels"]] = True, image_id
                if hashed:
                    kept[image_id] = hashed
    return rows


def _utf8(text: str) -> str:
    """A sentence that can be written to a row file, whatever the name of the file that it speaks of."""
    return text.encode("utf-8", "backslashreplace").decode()
