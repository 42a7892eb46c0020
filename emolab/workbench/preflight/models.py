"""How large a model is: from its config.json and its weights where they are here, else from a table, else its name."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from emolab.engine.settings import ModelSettings
from emolab.engine.weights import local_folder
from emolab.errors import InputError

_PACKED = re.compile(r"AWQ|GPTQ|GGUF|FP8|FP4|NF4|bnb|int-?[48]|[48]-?bit|w[48]a\d", re.IGNORECASE)


@dataclass(frozen=True)
class Tower:
    """A stack of transformer layers. `keys` is the width of its keys (fewer heads than queries make it narrow),
    `queries` that of its queries; `gated` feed-forward layers have three matrices."""

    layers: int
    width: int
    inner: int
    keys: int
    queries: int
    vocabulary: int = 0
    gated: bool = True

    @property
    def weights(self) -> float:
        """Weights that each token passes through: all matrices of the layers, and the head over the vocabulary."""
        attention = 2 * self.width * (self.queries + self.keys)
        feed = (3 if self.gated else 2) * self.width * self.inner
        return self.layers * (attention + feed) + self.width * self.vocabulary

    @property
    def cached(self) -> int:
        """Numbers of keys and values that are kept of each token."""
        return 2 * self.layers * self.keys

    def lora(self, rank: int) -> float:
        """Weights of LoRA on all linear layers."""
        ends = 2 * (self.width + self.queries) + 2 * (self.width + self.keys)
        return self.layers * rank * (ends + 3 * (self.width + self.inner))


@dataclass(frozen=True)
class Shape:
    """A checkpoint: `weights` counts all of its numbers. `patches`: tokens of one picture in the vision tower;
    `tokens`: those that the language model reads of it (below 0: one for so many pixels squared). `source` says where
    this is known from. `packed`: quantised, by its name or config.json."""

    weights: float
    text: Tower | None
    vision: Tower | None
    patches: int
    tokens: int
    source: str
    packed: bool = False

    def least(self, size: int) -> float:
        """The fewest bytes that its weights take where others take `size` each: in 4 bits, where it is quantised."""
        return self.weights * (0.5 if self.packed else size)

    def picture_tokens(self, width: int, height: int, tiles: int = 1) -> float:
        """Tokens that the language model reads of one picture."""
        if self.tokens < 0:
            return math.ceil(width / -self.tokens) * math.ceil(height / -self.tokens)
        return self.tokens * (tiles + 1 if tiles > 1 else 1)  # a picture in tiles has a small one of the whole beside

    def picture_patches(self, width: int, height: int, tiles: int = 1) -> float:
        """Tokens that the vision tower reads of one picture."""
        if self.tokens < 0:
            return 4 * self.picture_tokens(width, height)  # four are merged into one
        return self.patches * (tiles + 1 if tiles > 1 else 1)


def _lm(layers: int, width: int, inner: int, keys: int, queries: int, vocabulary: int) -> Tower:
    return Tower(layers, width, inner, keys, queries, vocabulary)


def _vit(layers: int, width: int, inner: int) -> Tower:
    return Tower(layers, width, inner, width, width, gated=False)


_VIT_300M = _vit(24, 1024, 4096)
_QWEN3 = {
    "0.6B": _lm(28, 1024, 3072, 1024, 2048, 151_936), "1.7B": _lm(28, 2048, 6144, 1024, 2048, 151_936),
    "4B": _lm(36, 2560, 9728, 1024, 4096, 151_936), "8B": _lm(36, 4096, 12_288, 1024, 4096, 151_936),
    "14B": _lm(40, 5120, 17_408, 1024, 5120, 151_936),
}  # fmt: skip
_QWEN25 = {
    "0.5B": _lm(24, 896, 4864, 128, 896, 151_936), "1.5B": _lm(28, 1536, 8960, 256, 1536, 151_936),
    "7B": _lm(28, 3584, 18_944, 512, 3584, 152_064),
}  # fmt: skip
# weights in 10^9, language model, vision tower, patches and tokens of a picture: by the hubs' configurations
_TABLE: dict[str, tuple[float, Tower | None, Tower | None, int, int]] = {
    "OpenGVLab/InternVL3_5-1B-HF": (1.06, _QWEN3["0.6B"], _VIT_300M, 1025, 256),
    "OpenGVLab/InternVL3_5-2B-HF": (2.35, _QWEN3["1.7B"], _VIT_300M, 1025, 256),
    "OpenGVLab/InternVL3_5-4B-HF": (4.73, _QWEN3["4B"], _VIT_300M, 1025, 256),
    "OpenGVLab/InternVL3_5-8B-HF": (8.53, _QWEN3["8B"], _VIT_300M, 1025, 256),
    "OpenGVLab/InternVL3_5-14B-HF": (15.1, _QWEN3["14B"], _VIT_300M, 1025, 256),
    "OpenGVLab/InternVL-Chat-V1-5": (
        25.5, _lm(48, 6144, 16_384, 1024, 6144, 92_553), _vit(45, 3200, 12_800), 1025, 256),
    "Qwen/Qwen3-VL-2B-Instruct": (2.13, _QWEN3["1.7B"], _vit(24, 1024, 4096), 0, -32),
    "Qwen/Qwen3-VL-4B-Instruct": (4.44, _QWEN3["4B"], _vit(24, 1024, 4096), 0, -32),
    "Qwen/Qwen3-VL-8B-Instruct": (8.77, _QWEN3["8B"], _vit(27, 1152, 4304), 0, -32),
    "zai-org/GLM-4.1V-9B-Thinking": (
        10.3, _lm(40, 4096, 13_696, 256, 4096, 151_552), _vit(24, 1536, 6144), 0, -28),
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": (0.89, _QWEN25["0.5B"], _vit(26, 1152, 4304), 7290, 5000),
    "Qwen/Qwen-VL-Chat": (9.66, _lm(32, 4096, 11_008, 4096, 4096, 151_936), _vit(48, 1664, 8192), 1024, 256),
    "zai-org/cogvlm-chat-hf": (17.6, _lm(32, 4096, 11_008, 4096, 4096, 32_000), _vit(63, 1792, 15_360), 1226, 1227),
    "Qwen/Qwen2.5-0.5B": (0.494, _QWEN25["0.5B"], None, 0, 0),
    "Qwen/Qwen2.5-0.5B-Instruct": (0.494, _QWEN25["0.5B"], None, 0, 0),
    "Qwen/Qwen2.5-1.5B-Instruct": (1.54, _QWEN25["1.5B"], None, 0, 0),
    "Qwen/Qwen2.5-7B": (7.62, _QWEN25["7B"], None, 0, 0),
    "Qwen/Qwen2.5-7B-Instruct": (7.62, _QWEN25["7B"], None, 0, 0),
    "baichuan-inc/Baichuan-13B-Base": (13.3, _lm(40, 5120, 13_696, 5120, 5120, 64_000), None, 0, 0),
    "TencentGameMate/chinese-hubert-large": (0.317, _vit(24, 1024, 4096), None, 0, 0),
    "facebook/hubert-base-ls960": (0.095, _vit(12, 768, 3072), None, 0, 0),
    "openai/clip-vit-large-patch14": (0.428, _vit(12, 768, 3072), _vit(24, 1024, 4096), 257, 257),
    "openai/clip-vit-base-patch16": (0.150, _vit(12, 512, 2048), _vit(12, 768, 3072), 197, 197),
    "openai/clip-vit-base-patch32": (0.151, _vit(12, 512, 2048), _vit(12, 768, 3072), 50, 50),
    "Salesforce/blip2-flan-t5-xxl": (12.2, None, _vit(39, 1408, 6144), 257, 32),
}  # fmt: skip


def shape_of(path: str, use_hf: bool = True) -> Shape | None:
    """The shape of a checkpoint (a folder, a hub id, `shipped:NAME`); None where nothing says how large it is."""
    model = ModelSettings(path=path, use_hf=use_hf)
    try:
        folder = local_folder(model) or cached_folder(model)
    except InputError:
        return None
    packed = _PACKED.search(path) is not None
    if folder is not None and (shape := _of_folder(folder)) is not None:
        return replace(shape, packed=shape.packed or packed)
    if path in _TABLE:
        count, *rest = _TABLE[path]
        return Shape(count * 1e9, *rest, source="emolab's table")
    size = re.search(r"(\d+(?:\.\d+)?)B(?![a-zA-Z])", path, re.IGNORECASE)
    if not size:
        return None
    count = float(size[1])
    _, *rest = min((row for row in _TABLE.values() if row[1]), key=lambda row: abs(math.log(row[0] / max(count, 0.01))))
    return Shape(count * 1e9, *rest, source="the size in its name", packed=packed)


def smaller(path: str) -> list[str]:
    """Smaller models of the same family in the table, largest first."""
    family, known = _family(path), _TABLE.get(path)
    alike = [name for name in _TABLE if _family(name) == family and known and _TABLE[name][0] < known[0]]
    return sorted(alike, key=lambda name: -_TABLE[name][0])


def _family(path: str) -> str:
    return re.sub(r"\d+(\.\d+)?B", "", path, flags=re.IGNORECASE)


def is_here(path: str, use_hf: bool = True) -> bool:
    """Whether nothing has to be fetched for this model."""
    model = ModelSettings(path=path, use_hf=use_hf)
    try:
        if local_folder(model) is not None:
            return True
    except InputError:
        return True  # a folder that is not there is no download
    folder = cached_folder(model)
    return folder is not None and any(True for kind in ("*.safetensors", "*.bin") for _ in folder.glob(kind))


def cached_folder(model: ModelSettings) -> Path | None:
    """The folder of a hub model in the local cache, None where it was not downloaded."""
    if not model.use_hf:
        root = Path(os.environ.get("MODELSCOPE_CACHE", "~/.cache/modelscope/hub")).expanduser()
        return next((each for each in (root / "models" / model.path, root / model.path) if each.is_dir()), None)
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(model.path, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def stored_weights(folder: Path, size: int = 4) -> float:
    """How many numbers the safetensors files of a folder hold, by their headers, else its pytorch_model*.bin, of `size`
    bytes each; 0 without such files, and with a damaged one, as are the pointers that Git LFS leaves."""
    headers = [_header(file) for file in folder.glob("*.safetensors")]
    if not headers:
        return sum(file.stat().st_size for file in folder.glob("pytorch_model*.bin")) / size
    try:
        return float(sum(math.prod(each["shape"]) for header in headers for each in header.values()))
    except (TypeError, KeyError, AttributeError):
        return 0.0


def _header(file: Path) -> dict | None:
    """Name -> type and shape of the tensors in a safetensors file; None where it is none."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > file.stat().st_size - 8:
                return None
            header = json.loads(stream.read(length))
            header.pop("__metadata__", None)
            return header
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _of_folder(folder: Path) -> Shape | None:
    """None where config.json says no sizes, or no weights are here to be counted."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        half = (config.get("dtype") or config.get("torch_dtype")) in ("float16", "bfloat16")
        weights = stored_weights(folder, 2 if half else 4)
        text = _tower(config.get("text_config") or config.get("llm_config") or config, head=True)
        seen = config.get("vision_config") or {}
        vision = _tower(seen, head=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not weights or text is None:
        return None
    side, patch = (_first(seen.get(name)) or 0 for name in ("image_size", "patch_size"))
    patches = (side // patch) ** 2 + 1 if patch else 0
    merged = seen.get("spatial_merge_size")
    tokens = config.get("image_seq_length") or (-patch * merged if merged and patch else patches)
    return Shape(weights, text, vision, patches, tokens, "its files", packed="quantization_config" in config)


def _tower(config: dict, head: bool) -> Tower | None:
    layers = config.get("num_hidden_layers") or config.get("depth")
    width, heads = config.get("hidden_size"), config.get("num_attention_heads") or config.get("num_heads")
    if not (layers and width and heads):
        return None
    each = config.get("head_dim") or width // heads
    keys = each * (config.get("num_key_value_heads") or heads)
    inner, words = config.get("intermediate_size") or 4 * width, config.get("vocab_size", 0) if head else 0
    gated = config.get("hidden_act") in ("silu", "swiglu")
    return Tower(layers, width, inner, keys, each * heads, words, gated)


def _first(value: int | list[int] | None) -> int | None:
    return value[0] if isinstance(value, list) else value
