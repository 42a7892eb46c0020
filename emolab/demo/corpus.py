"""Render the drawn corpus to disk: described clips, six-way pools, still images; cached, resumable, on all cores."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import cv2
from tqdm import tqdm

from emolab.corpora.read import split_ids
from emolab.corpora.settings import CorpusSettings
from emolab.demo.draw import FPS, Stage
from emolab.demo.emotions import EMOTIONS
from emolab.demo.scenario import Scenario, scenario, stable_rng
from emolab.demo.texts import Writer
from emolab.demo.voice import RATE, speak
from emolab.engine.rows import write_rows
from emolab.media.errors import MediaError
from emolab.media.probe import open_media
from emolab.media.write import write_video

NAME = "drawn"
COMMENT = "drawn by emolab"  # in every clip's metadata, so that a copied clip is still known as drawn


def render(outputs: Path, settings: CorpusSettings, seed: int = 0, workers: int | None = None) -> Path:
    """Render what is missing and return the corpus folder, `outputs/drawn-<digest of code, sizes and seed>`.

    Holds clips.jsonl (written last: it marks the corpus complete), video/, stills.jsonl, stills/ and truth.jsonl (what
    was really meant, also for the unlabelled clips; only for measuring).
    """
    root = outputs / f"drawn-{_digest(settings, seed)}"
    if (root / "clips.jsonl").is_file():
        return root
    for folder in ("video", "stills"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run draws this corpus: wait for it, then find it done
        if not (root / "clips.jsonl").is_file():
            _render(root, settings, seed, workers or os.cpu_count() or 1)
    return root


def _render(root: Path, settings: CorpusSettings, seed: int, workers: int) -> None:
    pools = {
        "described": list(_take("described", settings.described, seed, lambda s: True)),
        "labelled": list(_take("labelled", settings.labelled, seed, _six_way)),
        # as in MER2024, nobody sorted out what is none of the six
        "unlabelled": list(_take("unlabelled", settings.unlabelled, seed, lambda s: True)),
    }
    stills = list(_take("stills", settings.stills, seed, lambda s: True))
    jobs = [(root / "video" / f"{s.clip_id}.mp4", s) for pool in pools.values() for s in pool]
    jobs += [(root / "stills" / f"{s.clip_id}.png", s) for s in stills]
    jobs = [(path, s) for path, s in jobs if not path.exists()]
    _draw_all(jobs, workers)

    test = split_ids([s.clip_id for s in pools["described"]], settings.test, seed)
    clips = [_row(s, pool, test) for pool, scenarios in pools.items() for s in scenarios]
    truth = [_truth(s) for s in [*(s for pool in pools.values() for s in pool), *stills]]
    write_rows(root / "truth.jsonl", truth)
    write_rows(root / "stills.jsonl", [{"clip_id": s.clip_id, "image": f"stills/{s.clip_id}.png"} for s in stills])
    write_rows(root / "clips.jsonl", clips)


def is_drawn(video: str | Path) -> bool:
    """Whether a file is a clip of the drawn corpus, the only kind that the shipped checkpoints understand."""
    try:
        with open_media(video) as container:
            return container.metadata.get("comment") == COMMENT
    except MediaError:
        return False


def _digest(settings: CorpusSettings, seed: int) -> str:
    """Changes with the sizes, the seed and every line of code that draws or encodes."""
    here = Path(__file__).parent
    sources = ("emotions", "scenario", "words", "scenes", "figure", "draw", "voice", "texts", "corpus")
    code = [(here / f"{name}.py").read_bytes() for name in sources]
    code.append((here.parent / "media" / "write.py").read_bytes())
    sizes = [settings.described, settings.labelled, settings.unlabelled, settings.stills, settings.test, seed]
    return hashlib.blake2b(repr([code, sizes]).encode(), digest_size=5).hexdigest()


def _six_way(s: Scenario) -> bool:
    return EMOTIONS[s.families[0]].six_way is not None


def _take(pool: str, count: int, seed: int, keep: Callable[[Scenario], bool]) -> Iterator[Scenario]:
    """The first `count` scenarios of a pool that are kept; each seed has its own pool of clips and speakers."""
    index = taken = 0
    while taken < count:
        s = scenario(f"{pool}-{seed}", index, prefix=pool)
        index += 1
        if keep(s):
            taken += 1
            yield s


def _draw(path: Path, s: Scenario) -> None:
    stage = Stage(s)
    if path.suffix == ".mp4":
        write_video(path, stage.frames(), FPS, speak(s), RATE, comment=COMMENT)
    else:
        partial = path.with_name(f".{path.stem}.{os.getpid()}.png")
        cv2.imwrite(str(partial), stage.frame(0.7)[..., ::-1])
        os.replace(partial, path)


def _draw_all(jobs: list[tuple[Path, Scenario]], workers: int) -> None:
    # spawn: a notebook kernel has threads, and forking those can hang
    bar = tqdm(total=len(jobs), desc="drawing clips", unit="clip", disable=not jobs)
    with bar, ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_draw, path, s) for path, s in jobs]):
            done.result()
            bar.update()


def _row(s: Scenario, pool: str, test: set[str]) -> dict:
    row = {
        "clip_id": s.clip_id, "video": f"video/{s.clip_id}.mp4", "audio": f"video/{s.clip_id}.mp4",
        "transcript": s.transcript, "language": "english", "corpus": NAME, "speaker": s.person.speaker,
    }  # fmt: skip
    if pool == "described":
        row["split"] = "test" if s.clip_id in test else "train"
        row["labels"] = list(s.words)
        row["description"] = Writer(s, stable_rng("description", s.person.speaker, s.clip_id)).description()
    if pool != "unlabelled":
        row["emotion"] = EMOTIONS[s.families[0]].six_way
    return row


def _truth(s: Scenario) -> dict:
    keys = ("clip_id", "families", "words", "shown_by", "face", "posture", "scene", "voice", "transcript")
    return {**{key: getattr(s, key) for key in keys}, "emotion": EMOTIONS[s.families[0]].six_way}
