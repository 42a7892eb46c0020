"""Loading a model into one of ms-swift's inference engines."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from emolab.engine.device import pick_device, pick_dtype
from emolab.engine.settings import BACKENDS, ModelSettings
from emolab.engine.weights import pickled
from emolab.errors import EmolabError, RunError


def load_engine(settings: ModelSettings, folder: Path) -> Any:
    """An engine of ms-swift with the weights of `folder` (see `weights.resolve`), ready for `infer`.

    Raises InputError for a device that is not there and for weights that are more than tensors, RunError where the
    backend cannot load them.
    """
    os.environ["USE_HF"] = "1" if settings.use_hf else "0"
    os.environ.setdefault("LOG_LEVEL", "ERROR")  # ms-swift warns of remote code even where there is none
    try:
        import swift.infer_engine as engines

        device = pick_device(settings.device)
        options: dict = {
            "model_type": settings.model_type,
            "torch_dtype": pick_dtype(device, settings.dtype),
            "use_hf": settings.use_hf,
        }
        if settings.template:
            options["template_type"] = settings.template
        if settings.adapter:
            options["adapters"] = [str(Path(settings.adapter).expanduser())]
        if settings.backend == "transformers":
            options |= {"device_map": device, "max_batch_size": settings.batch_size}
        elif settings.backend == "vllm":
            options |= {"max_num_seqs": settings.batch_size, "enable_lora": settings.adapter is not None}
        engine = getattr(engines, BACKENDS[settings.backend])(str(folder), **options)
        engine.strict = False  # a question that cannot be encoded is one bad row, not the end of the run
    except EmolabError:
        raise
    except UnpicklingError as error:  # torch's own text says how to unpickle nevertheless
        raise pickled(folder) from error
    except ModuleNotFoundError as error:
        raise RunError(
            f"{settings.path} could not be loaded by {settings.backend}: {error.name} is not installed; install "
            "it, or pip install -e '.[models]' for what the transformers backend needs."
        ) from error
    except Exception as error:
        raise RunError(f"{settings.path} could not be loaded by {settings.backend}: {error}") from error
    limit_tiles(engine.template, settings.max_tiles)
    _take_token_ids(engine.template)
    return engine


def _take_token_ids(template: Any) -> None:
    """ms-swift's templates of Qwen-VL and GLM-V hold the released vocabularies' ids: take those of the checkpoint."""
    names = {
        "image_token_id": "image_token_id", "video_token_id": "video_token_id",
        "begin_of_image_token": "image_start_token_id", "end_of_image_token": "image_end_token_id",
    }  # fmt: skip
    for ours, theirs in names.items():
        if isinstance(getattr(template, ours, None), int) and isinstance(getattr(template.config, theirs, None), int):
            setattr(template, ours, getattr(template.config, theirs))


def limit_tiles(template: Any, tiles: int) -> None:
    """Cut an image into at most so many tiles, in the processors of transformers and in ms-swift's own templates."""
    image_processor = getattr(template.processor, "image_processor", None)
    if hasattr(image_processor, "max_patches"):
        image_processor.max_patches = tiles
        image_processor.min_patches = min(image_processor.min_patches, tiles)
    if hasattr(template, "max_num"):
        template.max_num = tiles
