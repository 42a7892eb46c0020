"""Frozen encoders out of their folders: any checkpoint by name, of the right kind and whole, or one sentence."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, logging

from emolab.discriminative.settings import EncoderSettings
from emolab.engine.device import pick_device, pick_dtype
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import pickled, resolve
from emolab.errors import EmolabError, InputError, RunError

_TAKES = {"audio": "input_values", "video": "pixel_values", "text": "input_ids"}
_WANTED = {
    "audio": "an audio encoder that takes samples (HuBERT, wav2vec2, WavLM, data2vec)",
    "video": "a vision encoder (CLIP's family, or one with pooler_output)",
    "text": "a language model of transformers with hidden states",
}
# what a checkpoint may lack, as hidden states do not come through it
_UNUSED = {"audio": ("masked_spec_embed",), "video": ("logit_scale", "logit_bias"), "text": ("pooler.",)}


def folder_of(encoder: EncoderSettings, modality: str) -> Path:
    """The local folder of an encoder. Raises InputError where it cannot be had."""
    if not encoder.path:
        raise InputError(f"discriminative.{modality} names no model; set discriminative.{modality}.path.")
    return resolve(ModelSettings(path=encoder.path, trust_remote_code=encoder.trust_remote_code))


def precision(encoder: EncoderSettings) -> tuple[str, torch.dtype]:
    """Device and dtype that an encoder runs in."""
    device = pick_device(encoder.device)
    return device, pick_dtype(device, encoder.dtype)


def load_checkpoint(encoder: EncoderSettings, modality: str) -> nn.Module:
    """The model, frozen and in evaluation mode, on its device and in its dtype; of a causal LM without its head.

    Raises InputError for a checkpoint that cannot be read, is of another kind, or does not hold every weight that its
    config.json asks for; RunError where it does not fit into memory.
    """
    folder, (device, dtype) = folder_of(encoder, modality), precision(encoder)
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # not transformers' list of what else a checkpoint holds: that is looked at here
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=encoder.trust_remote_code)
        own = getattr(config, "auto_map", None) or {}  # of code that comes with the weights, and may know no base model
        kind = AutoModelForCausalLM if "AutoModelForCausalLM" in own and "AutoModel" not in own else AutoModel
        model, told = kind.from_pretrained(
            folder, config=config, dtype=dtype, trust_remote_code=encoder.trust_remote_code, output_loading_info=True
        )
        model = model.requires_grad_(False).eval()
        _check(model, told, encoder.path, modality)
        return model.to(device)
    except torch.OutOfMemoryError:
        raise RunError(f"{encoder.path} does not fit into the memory of {device}; set a smaller dtype.") from None
    except EmolabError:
        raise
    except UnpicklingError as error:
        raise pickled(folder) from error
    except Exception as error:  # what a strange folder does to transformers has many names
        raise unfit(encoder, modality, error) from error
    finally:
        logging.set_verbosity(before)


def unfit(encoder: EncoderSettings, modality: str, error: Exception) -> InputError:
    """The one sentence for a checkpoint with which transformers fails."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split()).split('. ')[0][:200]}"
    return InputError(
        f"{encoder.path}: cannot be used as {_WANTED[modality]} ({reason}); set discriminative.{modality}.path."
    )


def _check(model: nn.Module, told: dict, path: str, modality: str) -> None:
    """Raise InputError where the model takes something else, or weights are missing or left over.

    Heads that the checkpoint holds besides are no concern; weights of the model's own parts that have no place in it
    mean that config.json is of another model.
    """
    sees = modality == "video" and hasattr(model, "get_image_features")  # CLIP's main input is its text
    if model.main_input_name != _TAKES[modality] and not sees:
        raise InputError(
            f"{path}: is a {type(model).__name__}, which takes {model.main_input_name}; discriminative.{modality} "
            f"wants {_WANTED[modality]}."
        )
    own = {name.split(".")[0] for name in model.state_dict()}
    prefix = f"{model.base_model_prefix}."
    missing = [name for name in told["missing_keys"] if not name.startswith(_UNUSED[modality])]
    left_over = [
        name
        for name in told["unexpected_keys"]
        if name.endswith((".weight", ".bias")) and name.removeprefix(prefix).split(".")[0] in own
    ]
    for what, names in (("lacks", missing), ("holds, without a place for them,", left_over)):
        if names:
            raise InputError(
                f"{path}: the weights do not fit its config.json: it {what} {len(names)} tensors "
                f"({min(names)} …); download or convert it again."
            )
