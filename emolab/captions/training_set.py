"""The training set: kept captions and MiniGPT-4's as ms-swift messages rows, checked before a training starts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from emolab.captions.prompts import CAPTION
from emolab.corpora.files import json_rows
from emolab.corpora.minigpt4 import CaptionedImage
from emolab.corpora.stills import IMAGE_FORMATS
from emolab.engine.chat import plain
from emolab.errors import InputError

# MiniGPT-4's own (section 3.2 of its paper): the captions were written in answer to it
DESCRIBE = "Describe this image in detail. Give as many details as possible. Say everything you see."
TAGS = {"<image>": "images", "<video>": "videos", "<audio>": "audios"}  # each tag takes one entry of its list


def training_rows(
    pairs: Iterable[dict], images_root: str | Path, prompt: str = CAPTION, corpus: str = ""
) -> list[dict]:
    """One row a chosen caption of the CaptionPair rows, in order (section 3.1.2: the kept captions are trained on with
    the prompt that produced them); `chosen: both` gives two. Image paths are made absolute below `images_root`;
    clip_id and corpus stay with the row, so that nobody scores a model on what it was trained on."""
    rows = []
    for pair in pairs:
        chosen = ("first", "second") if pair["chosen"] == "both" else (pair["chosen"],) if pair["chosen"] else ()
        image = os.path.abspath(Path(images_root) / pair["image"])
        about = {"image_id": pair["image_id"], "clip_id": pair["clip_id"], "corpus": corpus, "source": "generated"}
        rows += [_row(prompt, pair[which], image, about) for which in chosen]
    return rows


def minigpt4_rows(images: Sequence[CaptionedImage], prompt: str = DESCRIBE) -> list[dict]:
    """Rows of MiniGPT-4's captioned images (section 3.1.1), with MiniGPT-4's own prompt: they are not about
    emotions, and would be wrong answers to the paper's. Images that do not open are left out."""
    with ThreadPoolExecutor() as pool:
        broken = pool.map(_unreadable, [each.image for each in images])
        whole = [each for each, problem in zip(images, broken, strict=True) if not problem]
    return [_row(prompt, each.caption, each.image, {"image_id": each.image_id, "source": "minigpt4"}) for each in whole]


def _row(prompt: str, caption: str, image: str, about: dict[str, str]) -> dict:
    question = {"role": "user", "content": f"<image>{plain(prompt)}"}
    answer = {"role": "assistant", "content": plain(caption.strip())}
    return {"messages": [question, answer], "images": [image], **about}


def validate(path: str | Path) -> dict[str, int]:
    """Check a file of training rows as ms-swift will read it; returns the number of rows, of different images, and of
    rows of each source.

    Raises InputError (file, line, cause, cure) for: another number of media tags than of media, an image that is not
    absolute, not there or does not decode, roles that do not alternate user, assistant, an empty message, no rows.
    """
    path, seen, counts = Path(path), {}, Counter()
    for where, row in json_rows(path):
        counts["rows"] += 1
        counts[f"rows of {row.get('source') or 'unknown source'}"] += 1
        _check_messages(where, row.get("messages"))
        for image in _check_media(where, row):
            seen.setdefault(image, where)
    if not counts:
        raise InputError(f"{path}: holds no rows; nothing was kept, so look at the threshold and at pairs.jsonl.")
    with ThreadPoolExecutor() as pool:
        for where, problem in zip(seen.values(), pool.map(_unreadable, seen), strict=True):
            if problem:
                raise InputError(f"{where}: {problem}; make the images again (notebook 01) or delete the row.")
    return {"rows": counts.pop("rows"), "images": len(seen), **counts}


def _check_messages(where: str, messages: object) -> None:
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise InputError(f"{where}: has no list of messages; mend or delete the row.")
    turns = messages[messages[0].get("role") == "system" :]
    roles = [each.get("role") for each in turns]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        raise InputError(f"{where}: its roles are {', '.join(map(str, roles))}; they must alternate user, assistant.")
    if not all(isinstance(each.get("content"), str) and each["content"].strip() for each in messages):
        raise InputError(f"{where}: has an empty message; an answer must say something. Delete the row.")


def _check_media(where: str, row: dict) -> Sequence[str]:
    text = "".join(message["content"] for message in row["messages"])
    for tag, name in TAGS.items():
        media = row.get(name) or []
        if not isinstance(media, list) or not all(isinstance(each, str) for each in media):
            raise InputError(f"{where}: {name} must be a list of paths.")
        if text.count(tag) != len(media):
            raise InputError(f"{where}: {text.count(tag)} {tag} tags but {len(media)} {name}; each needs the other.")
    images = row.get("images") or []
    for image in images:
        if not os.path.isabs(image):
            raise InputError(f"{where}: {image} is a relative path, which holds in one folder only; make it absolute.")
    return images


def _unreadable(image: str) -> str | None:
    """Why an image cannot be trained on; a JPEG is decoded at an eighth of its size, which finds cut files as well."""
    try:
        with Image.open(image, formats=IMAGE_FORMATS) as opened:
            opened.draft("RGB", (opened.width // 8 or 1, opened.height // 8 or 1))
            opened.load()
    except FileNotFoundError:
        return f"{image} does not exist"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"{image} cannot be opened as an image ({type(error).__name__})"
    return None
