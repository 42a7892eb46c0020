"""What notebooks 01 to 05 do with a corpus, in pieces; 06 to 08 are in late.py."""

from __future__ import annotations

import json
from dataclasses import replace

from emolab.affectgpt.settings import AffectSettings
from emolab.affectgpt.table3 import SUBSETS
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import local_folder
from emolab.errors import InputError
from emolab.workbench.preflight.models import Shape, smaller
from emolab.workbench.preflight.numbers import NOTHING, Span
from emolab.workbench.preflight.plan import Plan, Work, files, host, rows
from emolab.workbench.preflight.rates import measured_rate, training, weight_bytes

_PROMPT, _WORDS = 75.0, 40.0  # tokens of the paper's questions; of what is said in a clip
_CAPTION = Span(90, 180, 280)  # tokens of a description; of a batch the longest counts
_LABELS = Span(60, 150, 256)  # tokens of a description with labels
_UNIQUE = Span(0.5, 0.85, 1.0)  # images that are no near-duplicates
_KEPT = Span(0.05, 0.42, 0.98)  # pairs above the threshold: 42 % of the drawn corpus; the paper names no rate
_PNG = Span(0.02, 1.7, 3.0)  # bytes of a pixel: flat and dark pictures take next to nothing
_FACE = Span(0.012, 0.02, 0.06)  # seconds of a core to find the faces of a frame
_QFORMERS = 45e6  # weights of AffectGPT's Q-Formers and projections at real size


def data_generation(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """01: images out of clips and stills, two or three captions each."""
    own, captioners = plan.settings.images, plan.settings.captioners
    taken, stills, images = sources(plan)
    if not images.high:
        return 0, [], ["every clip has label sets and no still is there: nothing is left to describe"]
    cures = [f"--set images.frames_per_clip={n}" for n in (own.frames_per_clip // 2, 1) if n]
    cures += [f"--set images.limit={n}" for n in (50_000, 10_000, 2_000, 200) if n < taken + stills]
    drawn = plan.counts.pictured * (taken * own.frames_per_clip)
    decode = plan.frames(own.frames_per_clip) * plan.counts.pictured * (taken / plan.machine.cores)
    work = [
        host(
            "taking images",
            taken + stills,
            decode,
            drawn * plan.sample.jpeg + rows(images.high, 500),
            cures=tuple(cures),
            basis=plan.decoding,
        )
    ]
    roles = {"first": captioners.first, "second": captioners.second}
    if plan.settings.filter.choice == "agreement":
        roles["third"] = captioners.third
    for role, model in roles.items():
        asked = plan.ask(f"{role} captioner", f"captioners.{role}", model, images, 1, _PROMPT, _answer(model, _CAPTION))
        work.append(replace(asked, disk=rows(images.high, 2500)))
    return taken, work, []


def caption_filtering(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """02: the judge reads pairs of captions."""
    captions = plan.written("01_data_generation", "captions")
    rule, images = plan.settings.filter, captions * 0.5 if captions else sources(plan)[2]
    asked = images * ((1 + rule.symmetric) * (3 if rule.choice == "agreement" else 1))
    judge = plan.ask("judge", "internvl", plan.settings.internvl, asked, 0, 60 + 2 * _CAPTION.best, Span(4, 20, 120))
    figures = host("figures and correctness", images.best, Span(5, 10, 25) + images * Span(1e-3, 5e-3, 1e-2))
    return images.best, [replace(judge, disk=rows(3 * asked.best, 1500)), figures], []


def finetune(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """03: labels of six frames, LoRA on kept captions, labels again."""
    settings, counts, sft = plan.settings, plan.counts, plan.settings.sft
    clips = counts.labelled or counts.clips
    frames, model, seeds = settings.frames, settings.internvl, len(settings.sft.seeds)
    prompt, decode = 80 + _WORDS, plan.frames(frames.parts)
    ask = plan.ask("zero-shot", "internvl", model, Span.of(clips), frames.parts, prompt, _answer(model), decode=decode)
    work = [replace(ask, disk=rows(2 * clips) + _kept_frames(plan, clips))]
    if not seeds:
        return clips, work, []
    captions = plan.written("02_caption_filtering", "train")
    captions = captions or sources(plan)[2] * _KEPT + Span.of(counts.minigpt4)
    taught = counts.taught if sft.descriptions else 0
    samples = captions + Span.of(taught)
    pictures = _PNG * plan.sample.pixels * (taught * frames.parts)
    work.append(_lora(plan, samples, pictures))
    again = plan.ask("fine-tuned", "internvl", model, Span.of(clips * seeds), frames.parts, prompt, _answer(model),
                     decode=decode)  # fmt: skip
    return clips, [*work, replace(again, disk=rows(2 * clips * seeds))], []


def _lora(plan: Plan, samples: Span, pictures: Span) -> Work:
    sft, model = plan.settings.sft, plan.settings.internvl
    shape, cuda = plan.shape(model.path, model.use_hf), plan.cuda("internvl.device", model.device)
    seeds, name = len(sft.seeds), f"fine-tuning, seeds {', '.join(map(str, sft.seeds))}"
    if shape is None or shape.text is None:
        return Work(name, samples.best, plan.unknown(model.path), cuda=cuda)
    size = (plan.sample.width, plan.sample.height, model.max_tiles)
    seen, patches = shape.picture_tokens(*size), shape.picture_patches(*size)
    trained, taught = shape.text.lora(sft.rank), sft.descriptions and plan.counts.taught
    tokens = Span(0.0 if plan.sample.guessed else seen, seen, seen) + Span.of(_PROMPT) + _CAPTION
    if sft.descriptions:
        tokens = Span(tokens.low, tokens.best, plan.settings.frames.parts * seen + 300)
    over = sft.gpus * sft.batch_size * sft.accumulation
    costs = []
    for count in (samples.low, samples.best, samples.high):
        steps = count * sft.epochs / over
        if sft.max_steps:
            steps = min(steps, sft.max_steps)
        costs.append(
            training(
                plan.machine, model.device, shape, steps * over, tokens, patches, batch=sft.batch_size, steps=steps,
                gpus=sft.gpus, trained=trained, checkpointing=sft.gradient_checkpointing, dtype=model.dtype,
                sharded="zero3" in (sft.deepspeed or ""), spared=bool(sft.extra) or _offloads(sft.deepspeed),
            )
        )  # fmt: skip
    seconds, cost = Span(costs[0].seconds.low, costs[1].seconds.best, costs[2].seconds.high), costs[1]
    rate = measured_rate(plan.machine, plan.measured, model, "lora", sft.batch_size) if not taught else None
    if rate is not None and not sft.max_steps:
        seconds = samples * rate[0] * (sft.epochs / (0.9 * sft.gpus)) + Span(15, 40, 120)
        cost = replace(cost, basis=rate[1])
    seconds = seconds * seeds
    disk = Span(2, 4, 4) * (trained * seeds) + Span.of(2 * 12 * trained) + rows(samples.best * seeds, 300) + pictures
    cures = [f"--set sft.batch_size=1 --set sft.accumulation={over // sft.gpus}"] if sft.batch_size > 1 else []
    if len(plan.machine.gpus) > 1 and "zero3" not in (sft.deepspeed or ""):
        cures.append(f"--set sft.gpus={len(plan.machine.gpus)} --set sft.deepspeed=zero3")
    if not sft.gradient_checkpointing:
        cures.append("--set sft.gradient_checkpointing=true")
    cures += [f"--set internvl.path={each}" for each in smaller(model.path)[:2]]
    return Work(name, round(samples.best), replace(cost, seconds=seconds), disk, cuda, tuple(cures))


def _offloads(deepspeed: str | None) -> bool:
    """Whether DeepSpeed keeps part of a model on the host, or may, by a file of its own."""
    return deepspeed is not None and ("offload" in deepspeed or deepspeed.endswith(".json"))


def affectgpt(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """04: frozen features, SFT of the Q-Formers, descriptions by every set of modalities, labels of these."""
    settings, counts, parts, sft = plan.settings, plan.counts, plan.settings.affectgpt, plan.settings.affectgpt_sft
    learnt, test = counts.described + counts.minigpt4, counts.test
    if not test:
        return 0, [], ["no labelled clip is of the test split, and 04 needs some"]
    clips, device = learnt + test, {"device": parts.device, "dtype": parts.dtype}
    vision, audio, language = (plan.shape(path) for path in (parts.vision, parts.audio, parts.language))
    size = weight_bytes(plan.machine, parts.device, parts.dtype)
    kept = feature_bytes(parts, vision, audio, size) if vision and audio else 1e6
    draws = Span.of(test + learnt * (sft.draws if sft.seeds else 1))
    each = {"batch": parts.batch_size, **device}
    tokens = Span.of(parts.frames.parts * vision.patches if vision else 0)
    decode = plan.frames(parts.frames.parts) + Span(0.01, 0.03, 0.08)
    cures = tuple(
        f"--set affectgpt.frames.parts={n}" for n in (parts.frames.parts // 2, parts.frames.parts // 4, 1) if n
    )
    work = [
        replace(
            plan.encode("features", "affectgpt.vision", parts.vision, draws, tokens, vision=True, decode=decode,
                        disk=files(draws * plan.counts.pictured, kept), **each), cures=cures),
        plan.encode("features of sound", "affectgpt.audio", parts.audio, draws,
                    Span.of(50 * parts.sound.clips * parts.sound.seconds), **each),
    ]  # fmt: skip
    cuda = plan.cuda("affectgpt.device", parts.device)
    if language is None or language.text is None:
        return clips, [*work, Work("training", learnt, plan.unknown(parts.language), cuda=cuda)], []
    if sft.seeds and learnt:
        trained = min(_QFORMERS, 4 * language.text.width**2) + (language.text.lora(16) if sft.lora else 0)
        over = sft.processes * sft.batch_size * sft.accumulation
        samples = learnt * sft.draws * sft.epochs
        how = {"batch": sft.batch_size, "steps": samples / over, "gpus": sft.processes, "trained": trained}
        length = Span(180, 300, min(450, sft.max_length))
        cost = training(plan.machine, parts.device, language, samples, length, 0, checkpointing=False,
                        dtype=parts.dtype, **how)  # fmt: skip
        cost = replace(cost, seconds=cost.seconds * len(sft.seeds))
        cures = (f"--set affectgpt_sft.batch_size=1 --set affectgpt_sft.accumulation={over // sft.processes}",)
        cures += tuple(f"--set affectgpt.language={name}" for name in smaller(parts.language)[:2])
        disk = Span.of(12 * trained * (2 + len(sft.seeds)))
        work.append(Work(f"training, {sft.epochs} epochs", learnt, cost, disk, cuda, cures))
    systems = bool(parts.qformers) + len(sft.seeds)
    asked = Span.of(test * systems * sum(set(subset) <= set(sft.modalities) for subset in SUBSETS))
    model = replace(settings.internvl, path=parts.language, max_new_tokens=parts.max_new_tokens, backend="transformers",
                    batch_size=parts.batch_size, adapter=None, **device)  # fmt: skip
    told = plan.ask("descriptions", "affectgpt", model, asked, 0, 200, _answer(model))
    read = plan.ask("labels of them", "internvl", settings.internvl, asked, 0, 200, Span(10, 30, 80))
    cures = tuple(f"--set affectgpt.language={name}" for name in smaller(parts.language)[:2])
    kept = rows(2 * asked.best)
    return clips, [*work, replace(told, disk=kept, cures=cures), replace(read, disk=kept)], []


def feature_bytes(parts: AffectSettings, vision: Shape, audio: Shape, size: int) -> float:
    """Of one clip's frozen features: a vector for each token of each frame, and for each piece of sound."""
    tokens, width = _image_queries(parts) or (vision.patches, vision.vision.width)
    sound = audio.text.width if audio.text else 1024
    return size * (parts.frames.parts * tokens * width + parts.sound.clips * sound) + 400


def _image_queries(parts: AffectSettings) -> tuple[int, int] | None:
    """Tokens and width that an image Q-Former makes of a frame, where the parts have one."""
    if parts.image_qformer:
        return 32, 768
    try:
        folder = local_folder(ModelSettings(path=parts.qformers)) if parts.qformers else None
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError, InputError):
        return None
    inner = config.get("image_qformer_config")
    return (config["image_queries"], inner["hidden_size"]) if inner else None


def face_ablation(plan: Plan) -> tuple[float, list[Work], list[str]]:
    """05: the same question about faces and frames."""
    settings, own, parts = plan.settings, plan.settings.ablation, plan.settings.frames.parts
    clips = min(own.clips or plan.counts.labelled, plan.counts.labelled)
    if not clips:
        return 0, [], ["no clip has label sets, and 05 needs some"]
    searched = clips * parts * len(own.seeds)
    work = [
        host(
            "faces",
            searched,
            _FACE * searched * (1 / plan.machine.cores),
            Span(0, 1, 2) * files(3.0 * clips, 2e4 * parts),
        )
    ]
    side = settings.faces.size
    for view in own.views:
        small = (side, side) if view in ("face", "frame_small") else None
        pictures = parts * (2 if view == "face_frame" else 1)
        asked = plan.ask(view, "internvl", settings.internvl, Span.of(clips * len(own.seeds)), pictures, 80 + _WORDS,
                         _answer(settings.internvl), decode=plan.frames(parts), size=small)  # fmt: skip
        work.append(replace(asked, disk=rows(2 * clips * len(own.seeds))))
    return clips, work, []


def sources(plan: Plan) -> tuple[float, float, Span]:
    """Clips and stills that notebook 01 takes images of, and how many images are described."""
    own, counts = plan.settings.images, plan.counts
    clips = counts.clips - (0 if own.labelled else counts.labelled)
    stills = counts.stills if own.stills or not counts.clips else 0
    if own.limit is not None and clips + stills > own.limit:
        share = own.limit / (clips + stills)
        clips, stills = clips * share, stills * share
    return clips, stills, _UNIQUE * counts.pictured * (clips * own.frames_per_clip) + Span.of(stills)


def _kept_frames(plan: Plan, clips: float) -> Span:
    frames = plan.settings.frames
    return _PNG * plan.sample.pixels * (clips * frames.parts) if frames.cache else NOTHING


def _answer(model: ModelSettings, usual: Span = _LABELS) -> Span:
    """Tokens of the longest answer of a batch; a model that is given many thinks first."""
    most = model.max_new_tokens
    return Span(0.3 * most, 0.7 * most, most) if most > 2 * usual.high else usual
