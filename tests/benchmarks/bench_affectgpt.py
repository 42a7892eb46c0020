"""AffectGPT's training: an epoch from the cache of frozen features, an epoch that recomputes them, and their limit.

Gradients cross the frozen language model, so the limit is its own forward and backward pass to its inputs. Random
weights (a seed), the project's own trainer, drawn clips, one run; nothing is asserted. By default a model scaled down
in the proportions of the real one; on a GPU `bench_affectgpt.py --gpu` takes the real shapes in bfloat16 (EVA-CLIP-G or
CLIP-L, HuBERT-large, a Llama of 7B), and `--gpu --tiny` runs the same code with tiny shapes on the CPU.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import report
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from torch import nn
from transformers import Blip2QFormerConfig, Blip2VisionConfig, CLIPVisionConfig, HubertConfig, LlamaConfig

from emolab.affectgpt.configuration import AffectGPTConfig, qformer_config
from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.encoding import DIMENSIONS, ClipEncoder
from emolab.affectgpt.inputs import InputMaker
from emolab.affectgpt.modeling import IGNORED, AffectGPT
from emolab.affectgpt.processing import AffectGPTProcessor
from emolab.affectgpt.prompts import trimodal
from emolab.affectgpt.samples import Collator
from emolab.affectgpt.settings import AffectSettings, AffectSftSettings
from emolab.affectgpt.train import JOURNAL, Batches, Clips, Journal, QFormerTrainer
from emolab.corpora.clip import Clip
from emolab.corpora.read import read_rows
from emolab.corpora.settings import CorpusSettings
from emolab.demo.corpus import render
from emolab.engine.feature_store import FeatureStore
from emolab.media.settings import FaceSettings

SFT, ASKED = AffectSftSettings(), AffectSettings()
CACHED, LIMIT = "emolab", "language model alone (the limit)"
CLIPS, STILLS = 266, 3439  # the paper's samples
QUESTION, TARGET = 250, 150  # tokens of a sample in the paper's form; 40 of the question stand for pieces
clock = time.perf_counter


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock()


class Watch(transformers.TrainerCallback):
    """Seconds from before the first batch to after the last step."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        self.begin = now()

    def on_train_end(self, args, state, control, **kwargs) -> None:
        self.seconds = now() - self.begin


def epoch(model: AffectGPT, items: Sequence, collate: Callable, batch: int, folder: Path) -> float:
    """Seconds of an epoch by the trainer of `emolab.affectgpt.train`, with its settings and its journal."""
    on_gpu, half = model.device.type == "cuda", model.language_model.dtype == torch.bfloat16
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), num_train_epochs=1, per_device_train_batch_size=batch, seed=0,
        learning_rate=SFT.learning_rate, weight_decay=SFT.weight_decay, bf16=half, use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu, remove_unused_columns=False, logging_steps=1, save_strategy="no",
        disable_tqdm=True, report_to="none",
    )  # fmt: skip
    watch = Watch()
    how = {"args": arguments, "callbacks": [Journal(folder / JOURNAL), watch], "sft": SFT}
    trainer = QFormerTrainer(model=model, train_dataset=items, data_collator=collate, **how)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return watch.seconds


def limit(model: AffectGPT, batches: Sequence[dict[str, torch.Tensor]]) -> float:
    """Seconds of the language model's forward and backward pass to its inputs, on the shapes of the batches."""
    device, dtype, width = model.device, model.language_model.dtype, model.get_input_embeddings().embedding_dim
    seconds = 0.0
    for batch in batches:
        mask, labels = batch["attention_mask"].to(device), batch["labels"].to(device)
        embeds = torch.randn(*mask.shape, width, device=device, dtype=dtype, requires_grad=True)
        keep = int((labels != IGNORED).sum(1).max()) + 1
        targets, positions = labels[:, 1 - keep :].flatten(), (mask.cumsum(1) - 1).clamp(min=0)
        how = {"attention_mask": mask, "position_ids": positions, "logits_to_keep": keep, "use_cache": False}
        begin = now()
        logits = model.language_model(inputs_embeds=embeds, **how).logits
        nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets, ignore_index=IGNORED).backward()
        seconds += now() - begin
    return seconds


def millions(module: nn.Module) -> float:
    return sum(weight.numel() for weight in module.parameters()) / 1e6


# --- scaled down, with drawn clips


def scaled(asked: AffectGPTProcessor) -> AffectGPTConfig:
    """Language model, vision and audio encoder cost about 100 : 40 : 5 a sample, as with the paper's sizes."""
    small = {"num_attention_heads": 8, "vocab_size": len(asked.tokenizer)}
    return AffectGPTConfig(
        CLIPVisionConfig(hidden_size=416, intermediate_size=1664, num_hidden_layers=5, num_attention_heads=8),
        HubertConfig(**small, hidden_size=96, intermediate_size=384, num_hidden_layers=4, conv_dim=(32,) * 7),
        LlamaConfig(**small, hidden_size=512, intermediate_size=1376, num_hidden_layers=8),
        image_qformer_config=qformer_config(96, 416, heads=4),
        video_qformer_config=qformer_config(96, 96, heads=4),
        audio_qformer_config=qformer_config(96, 96, heads=4),
        audio_layers=4, **asked.token_ids(),
    )  # fmt: skip


def processor(clips: Sequence[Clip]) -> AffectGPTProcessor:
    """Processors of the real kinds; the vocabulary comes out of the clips' own questions and descriptions."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    how = BpeTrainer(vocab_size=800, special_tokens=["<s>", "</s>"], show_progress=False)
    bpe.train_from_iterator([text for c in clips for text in (trimodal(c.transcript), c.description)], how)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>")
    return AffectGPTProcessor(transformers.CLIPImageProcessor(), transformers.Wav2Vec2FeatureExtractor(), tokenizer)


def compare(told: report.Report, options: argparse.Namespace, folder: Path) -> None:
    sizes = CorpusSettings(described=options.clips, labelled=0, unlabelled=0, stills=0, test=0)
    clips = read_rows(render(folder, sizes))
    asked = processor(clips)
    config = scaled(asked)
    torch.manual_seed(0)
    encoders, model = FrozenEncoders(config).eval(), AffectGPT(config, with_encoders=False)
    trained, collator = sum(model.freeze().values()) / 1e6, Collator(asked, config)
    encoder = ClipEncoder(lambda: (encoders, asked), "random weights")
    make = InputMaker(ASKED.frames, FaceSettings(), ASKED.view, ASKED.sound)
    store = FeatureStore(folder / "features", encoder.identity, make, DIMENSIONS)
    begin = now()
    store.compute(clips, encoder, progress=False)
    once = now() - begin
    inputs = {clip.clip_id: make(clip) for clip in clips}
    kept = FeatureStore(store.folder, encoder.identity, lambda clip: inputs[clip.clip_id], DIMENSIONS)
    cached, recomputed = Batches([store], None, collator), Batches([store], encoder, collator)
    undecoded = Batches([kept], encoder, collator)
    items, batches = Clips(clips, 1), []

    def train(collate: Callable) -> float:
        return epoch(model, items, collate, options.batch, folder)

    # Warms up, and gives the limit its shapes: every epoch has the same order
    train(lambda these: batches.append(cached(these)) or batches[-1])
    kinds = {
        CACHED: lambda: train(cached),
        LIMIT: lambda: limit(model, batches),
        "recomputed": lambda: train(recomputed),
        "recomputed without decoding": lambda: train(undecoded),
    }
    rounds = [{name: run() for name, run in kinds.items()} for _ in range(options.repetitions)]
    one, other = cached([items[0]]), recomputed([items[0]])
    apart = max(float((one[name] - other[name]).abs().max()) for name in ("video", "audio"))
    tokens = sum(int(batch["attention_mask"].sum()) for batch in batches) / len(clips)
    targets = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches) / len(clips)
    parts = {"language model": model.language_model, "vision": encoders.vision, "audio": encoders.audio}
    sizes = ", ".join(f"{name} {millions(part):.1f}" for name, part in parts.items())
    about = f"millions of weights: {sizes}, trained {trained:.1f}; {tokens:.0f} tokens a sample, {targets:.0f} targets"
    told.add("features, cached once", once, n=f"{len(clips)} clips", note=about)
    n = f"{len(clips)} clips, batches of {options.batch}, {options.clock} time"
    seconds = {name: [each[name] for each in rounds] for name in kinds}
    note = f"features of cache and encoders differ by {apart:.1g} at most"
    told.compare("an epoch from the cache", seconds, n=n, note=note)


# --- real shapes on a GPU, with features drawn at random


def real(vision: str, tiny: bool) -> AffectGPTConfig:
    """EVA-CLIP-G with BLIP-2's image Q-Former, or CLIP-L; HuBERT-large; a Llama of 7B. Or the same kinds, tiny."""
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    default, sized = (small, small) if tiny else ({}, large)  # BLIP-2's defaults are EVA-CLIP-G's, Llama's the 7B's
    words, channels, width, heads = (500, 16, 64, 4) if tiny else (32_000, 512, 768, 12)
    hears = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True, "conv_dim": (channels,) * 7}
    config = AffectGPTConfig(
        Blip2VisionConfig(**default) if vision == "eva" else CLIPVisionConfig(**sized, patch_size=14),
        HubertConfig(**sized, **hears),
        LlamaConfig(**default, vocab_size=words),
        audio_layers=4, video_token_id=words, audio_token_id=words + 1,
    )  # fmt: skip
    if vision == "eva":
        reads = {"encoder_hidden_size": config.vision_config.hidden_size}
        config.image_qformer_config = Blip2QFormerConfig(**default, **reads)
    config.video_qformer_config = qformer_config(width, config.frame_width, heads=heads)
    config.audio_qformer_config = qformer_config(width, config.audio_width, heads=heads)
    return config


def drawn_batch(config: AffectGPTConfig, count: int) -> dict[str, torch.Tensor]:
    """A batch in the paper's form: random words, placeholders, and features as the cache keeps them (float16)."""
    ids = torch.randint(0, config.text_config.vocab_size, (count, QUESTION + TARGET))
    ids[:, 20 : 20 + config.audio_queries] = config.audio_token_id
    ids[:, 60 : 60 + config.video_queries] = config.video_token_id
    frames, tokens = ASKED.frames.parts, config.image_queries if config.image_qformer_config else 257
    return {
        "input_ids": ids, "attention_mask": torch.ones_like(ids),
        "labels": torch.cat([torch.full((count, QUESTION), IGNORED), ids[:, QUESTION:]], 1),
        "video": torch.randn(count, frames, tokens, config.frame_width).half(),
        "frames": torch.full((count,), frames),
        "audio": torch.randn(count, config.audio_clips, config.audio_width).half(),
    }  # fmt: skip


def encode(encoders: FrozenEncoders, count: int, repetitions: int = 5) -> float:
    """Clips a second of the frozen encoders on prepared pictures and sounds."""
    pixels = torch.randn(count, ASKED.frames.parts, 3, 224, 224)
    sound = torch.randn(count, ASKED.sound.clips, int(ASKED.sound.seconds * ASKED.sound.rate))
    encoders.encode_video(pixels), encoders.encode_audio(sound)  # warms up
    begin = now()
    for _ in range(repetitions):
        encoders.encode_video(pixels), encoders.encode_audio(sound)
    return count * repetitions / (now() - begin)


def sweep(told: report.Report, options: argparse.Namespace, folder: Path) -> None:
    config = real(options.vision, options.tiny)
    torch.manual_seed(0)
    with torch.device("cpu" if options.tiny else "cuda"):
        encoders = FrozenEncoders(config).eval()
        encoders.vision.bfloat16(), encoders.audio.bfloat16()  # the image Q-Former stays float32, as parts.py loads it
        rate = encode(encoders, 1 if options.tiny else ASKED.batch_size)
        del encoders  # a training from the cache does not hold them
        language = transformers.AutoModelForCausalLM.from_config(config.text_config, dtype=torch.bfloat16)
        model = AffectGPT(config, None, language, with_encoders=False)
    model.freeze()
    where = "tiny shapes on the CPU" if options.tiny else torch.cuda.get_device_name()
    note = f"{where}, vision {options.vision}, without decoding; {CLIPS / rate:.0f} s for {CLIPS} clips"
    told.add("frozen encoders, once a clip", rate, "clips/s", note=note)
    for count in options.batches:
        try:
            row(told, options, model, count, folder)
        except torch.OutOfMemoryError:
            told.skip(f"a step from the cache, batches of {count}", "It does not fit into memory.")
            break


def row(told: report.Report, options: argparse.Namespace, model: AffectGPT, count: int, folder: Path) -> None:
    """Memory, speed and limits of training in batches of `count`."""
    batch, steps, on_gpu = drawn_batch(model.config, count), options.steps, model.device.type == "cuda"
    epoch(model, range(2 * count), lambda items: batch, count, folder), limit(model, [batch])  # warm up
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds: dict[str, list[float]] = {CACHED: [], LIMIT: []}
    for _ in range(options.repetitions):
        seconds[CACHED].append(epoch(model, range(steps * count), lambda items: batch, count, folder) / steps)
        seconds[LIMIT].append(limit(model, [batch] * steps) / steps)
    step = median(seconds[CACHED])
    head, body = (millions(model.language_model.get_submodule(name)) for name in ("lm_head", "model.layers"))
    # forward and backward to the inputs: 2 + 2 operations a weight and token; targets alone pass the output layer
    peak = 4e6 * count * (body * (QUESTION + TARGET) + head * TARGET) / step / options.tflops / 1e12
    hours = 100 * (CLIPS + STILLS) / count * step / 3600
    note = f"{peak:.1%} of {options.tflops:g} TFLOP/s; {hours:.1f} h for 100 epochs of {CLIPS + STILLS:,} samples"
    memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None
    n = f"batches of {count}, {QUESTION} + {TARGET} tokens, language model {millions(model.language_model):,.1f} M"
    told.compare("a step from the cache", seconds, "ms", n=n, note=note, peak_mib=memory)


def main(words: Sequence[str] | None = None) -> None:
    global clock
    parser = report.parser(__doc__, "bench_affectgpt.py --gpu --batches 1 4 16")
    parser.add_argument("--clips", type=int, default=8, help="drawn clips of an epoch; default: 8")
    parser.add_argument("--batch", type=int, default=SFT.batch_size, help=f"default: {SFT.batch_size}")
    parser.add_argument("--repetitions", type=int, default=3, help="default: 3")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor: for a busy machine")
    parser.add_argument("--gpu", action="store_true", help="the real shapes on a GPU, and nothing else")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: tiny shapes on the CPU")
    parser.add_argument("--vision", choices=("eva", "clip"), default="eva", help="with --gpu, as the next three")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16], help="default: 1 4 16")
    parser.add_argument("--steps", type=int, default=20, help="steps timed; default: 20")
    parser.add_argument("--tflops", type=float, default=989, help="the device's peak, dense bfloat16 (H100, H200: 989)")
    options = report.parse(parser, words, clips=4, repetitions=1, steps=2, batches=[1])
    if options.gpu and not options.tiny and not torch.cuda.is_available():
        parser.error("--gpu needs a GPU; add --tiny to run it with tiny shapes on the CPU.")
    clock = time.process_time if options.clock == "processor" else time.perf_counter
    transformers.logging.set_verbosity_error()
    told = report.Report("AffectGPT", options)
    with tempfile.TemporaryDirectory() as folder:
        (sweep if options.gpu else compare)(told, options, Path(folder))


if __name__ == "__main__":
    main()
