"""What notebooks 06 to 08 do with a corpus, in pieces."""

from __future__ import annotations

import json
from pathlib import Path

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.prompts import WRITER
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import local_folder
from emolab.errors import InputError
from emolab.workbench.preflight.models import cached_folder
from emolab.workbench.preflight.numbers import Span
from emolab.workbench.preflight.plan import Plan, Work, endpoint, files, host, rows
from emolab.workbench.preflight.rates import BACKWARD, Cost, on_gpu, speed, weight_bytes

_WRITTEN = Span(30, 60, 110)  # tokens of one or two sentences
_GUESSED = Span(0.05, 0.3, 0.8)  # unlabelled clips that pseudo-labels reach
_HEAD = {True: Span(1e-6, 4e-6, 1.5e-5), False: Span(1.5e-5, 4e-5, 1e-4)}  # seconds of a clip in an epoch of one head


def discriminative(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """06: features of three senses, a writer, EmoVCLIP by fold, heads and their ablation."""
    own, counts = plan.settings.discriminative, plan.counts
    if counts.six < own.folds * len(SIX_WAY):
        return 0, [], [f"{counts.six} clips are labelled with one of the six emotions, and 06 needs more"]
    clips, parts = counts.six + counts.unlabelled + counts.judged, own.frames.parts
    audio, video, text = (plan.shape(each.path) for each in (own.audio, own.video, own.text))
    if not (audio and audio.text and video and video.vision and text and text.text):
        known = {own.audio.path: audio, own.video.path: video, own.text.path: text}
        return clips, [Work("features", clips, plan.unknown(name)) for name, shape in known.items() if not shape], []
    widths = [audio.text.width, min(video.vision.width, 768), text.text.width]
    vectors = [files(clips, 4 * width + 300) for width in widths]
    decode = plan.frames(parts)
    if own.view == "face":
        decode = decode + Span(0.012, 0.02, 0.06) * parts
    seen = plan.counts.pictured * clips
    work = [
        host("frames as pixels", seen.best, decode * seen * (1 / plan.machine.cores), pixel_disk(plan, seen),
             cures=tuple(f"--set discriminative.frames.parts={n}" for n in (parts // 2, parts // 4, 1) if n),
             basis=plan.decoding),
        plan.encode("sound", "discriminative.audio.path", own.audio.path, Span.of(clips + counts.six * len(own.noise)),
                    plan.sample.seconds * 50, batch=own.audio.batch_size, device=own.audio.device,
                    dtype=own.audio.dtype, decode=Span(0.01, 0.03, 0.08), disk=vectors[0]),
        plan.encode("pictures", "discriminative.video.path", own.video.path, seen,
                    Span.of(parts * video.patches), batch=own.video.batch_size, device=own.video.device,
                    dtype=own.video.dtype, vision=True, disk=vectors[1]),
        plan.encode("words, twice", "discriminative.text.path", own.text.path, Span.of(2 * (counts.spoken or clips)),
                    Span(10, 60, 150), batch=own.text.batch_size, device=own.text.device, dtype=own.text.dtype,
                    disk=2 * vectors[2]),
        _writer(plan),
        _emovclip(plan, clips),
        _heads(plan, clips, sum(widths)),
    ]  # fmt: skip
    return clips, work, []


def pixel_disk(plan: Plan, seen: Span) -> Span:
    """Bytes of the frames that 06 keeps of clips with pictures, and of the crops where faces are looked at; clips
    without any face keep nothing."""
    own, crop = plan.settings.discriminative, plan.settings.faces
    side = picture_side(own.video.path)
    kept = files(seen, own.frames.parts * 3 * side**2 + 300)
    if own.view == "frame":
        return kept
    if crop.cache and crop.source == "detect":
        kept = kept + files(seen, 0.6 * own.frames.parts * 3 * crop.size**2)
    return kept * Span(0.7, 0.97, 1.0)


def picture_side(path: str) -> int:
    """Pixels a side to which the image processor of a vision encoder cuts; 224 where it is not here."""
    model = ModelSettings(path=path)
    try:
        folder = local_folder(model) or cached_folder(model)
        config = json.loads((Path(folder) / "preprocessor_config.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError, InputError):
        config = {}
    size = config.get("crop_size") if config.get("do_center_crop", True) else None
    size = size or config.get("size") or 224
    return int(size.get("height") or size.get("shortest_edge") or 224) if isinstance(size, dict) else int(size)


def _writer(plan: Plan) -> Work:
    own, counts = plan.settings.discriminative, plan.counts
    asked = counts.spoken
    prompt = len(WRITER) / 4.5 + Span(0.25, 0.5, 1.0).best * counts.letters / max(1, asked)
    if not own.endpoint:
        return plan.ask("writer", "discriminative.writer", own.writer, Span.of(asked), 0, prompt, _WRITTEN)
    tokens = Span(0.7, 1.0, 1.5) * prompt
    return endpoint(f"writer {own.endpoint_model}", asked, tokens, _WRITTEN, Span(0.1, 0.5, 2.5))


def _emovclip(plan: Plan, clips: float) -> Work:
    own, six, video = plan.settings.discriminative, plan.counts.six, plan.shape(plan.settings.discriminative.video.path)
    learned, parts, tower = own.emovclip, own.frames.parts, video.vision
    tokens = parts * (video.patches + learned.global_prompts + 1 + parts)
    reached = speed(plan.machine, own.video.device)
    share = (own.folds - 2) / own.folds  # one fold tests, the next validates
    passes = own.folds * (3 * share * six * learned.epochs + clips)
    steps = own.folds * (3 * share * six * learned.epochs + clips) / learned.batch_size
    seconds = Span.of(2 * tower.weights * tokens * passes).over(reached.flops) + steps * tower.layers * reached.layer
    there, size = on_gpu(plan.machine, own.video.device), weight_bytes(plan.machine, own.video.device, own.video.dtype)
    kept = Span(0.5, 1, 1.3) * (BACKWARD * tower.layers * tower.width * tokens * learned.batch_size * size / 2)
    memory = kept + Span.of(4 * video.weights) + Span(0.3e9, 0.8e9, 1.5e9)
    cost = Cost(seconds, memory if there else Span(), Span(1e9, 3e9, 6e9) if there else memory)
    cures = tuple(f"--set discriminative.emovclip.batch_size={n}" for n in (learned.batch_size // 2, 2, 1) if n)
    disk = Span.of(own.folds * 4 * clips * min(video.vision.width, 768))
    cuda = plan.cuda("discriminative.video.device", own.video.device)
    return Work(f"EmoVCLIP, {own.folds} folds", six, cost, disk, cuda, cures)


def _heads(plan: Plan, clips: float, width: int) -> Work:
    own, counts = plan.settings.discriminative, plan.counts
    heads, share = own.folds * len(own.seeds), (own.folds - 2) / own.folds
    taught = Span.of(4 * share * counts.six)  # four systems, then self-training with three controls
    taught += (Span.of(share * counts.six) + _GUESSED * counts.unlabelled) * (4 * own.self_training.rounds)
    seconds = taught * _HEAD[on_gpu(plan.machine, own.fusion.device)] * (heads * own.fusion.epochs)
    tables = Span(1, 2.5, 5) * (4 * clips * width)
    cures = ("--set discriminative.self_training.rounds=0",)
    disk = rows(3 * clips, 500) + Span(5e5, 5e6, 3e7)
    return host(f"{heads} heads", counts.six, seconds + Span(5, 15, 40), disk, tables, cures=cures)


def fusion(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """07: strategies over the predictions of 03, 04 and 06, or over published ones."""
    own, clips = plan.settings.fusion, plan.counts.labelled
    if not clips:
        return 0, [], ["no clip has label sets, and 07 needs some"]
    fits = own.folds * len(own.seeds)
    seconds = Span(6, 15, 30) + fits * (Span(1e-3, 3e-3, 6e-3) * clips + Span(1e-6, 2e-6, 4e-6) * clips**2)
    work = [host("strategies", clips, seconds, rows(12 * clips, 500))]
    if own.judge:
        model = plan.settings.internvl
        work.append(plan.ask("judge", "internvl", model, Span.of(clips), 0, 200, Span(5, 30, 80)))
    return clips, work, []


def inspection(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """08: what every model said, in the inspector and as one page."""
    own = plan.settings.inspector
    clips = plan.counts.labelled or plan.counts.clips
    pictures = min(own.pictures, clips) * plan.sample.decode * 3
    disk = rows(min(own.most, clips) * 4) + Span(1e4, 6e4, 2e5) * min(own.pictures, clips)
    return (
        clips,
        [host("inspector and page", clips, Span(3, 8, 20) + pictures + Span(5e-5, 2e-4, 5e-4) * clips, disk)],
        [],
    )
