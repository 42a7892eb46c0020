"""Checkpoints of strangers, made of the shipped ones: what they would run if they could leaves a mark."""

import json
import shutil
from pathlib import Path

import pytest

from emolab.affectgpt import parts
from emolab.affectgpt.settings import AffectSettings
from emolab.discriminative.encoders import AudioEncoder, TextEncoder, VideoEncoder
from emolab.discriminative.pixels import load_image_processor
from emolab.discriminative.settings import EncoderSettings
from emolab.discriminative.train_emovclip import _Parts
from emolab.engine.chat import ChatModel
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import SHIPPED

CODE = "from pathlib import Path\nPath({mark!r}).touch()\n\nclass Own:\n    pass\n"
AUTO = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForImageTextToText", "AutoTokenizer")
AUTO += ("AutoProcessor", "AutoImageProcessor", "AutoFeatureExtractor")

# loader -> (shipped checkpoint, what loads a folder like it)
LOADERS = {
    "chat model": ("internvl", lambda path: ChatModel(ModelSettings(path)).load()),
    "writer": ("writer", lambda path: ChatModel(ModelSettings(path, model_type="qwen2", template="qwen")).load()),
    "sound encoder": ("hubert", lambda path: AudioEncoder(EncoderSettings(path)).load()),
    "picture encoder": ("clip", lambda path: VideoEncoder(EncoderSettings(path)).load()),
    "text encoder": ("llama", lambda path: TextEncoder(EncoderSettings(path)).load()),
    "EmoVCLIP": ("clip", lambda path: _Parts.of(EncoderSettings(path))),
    "AffectGPT's vision": ("internvl", lambda path: parts.load_encoders(AffectSettings(vision=path))),
    "AffectGPT's audio": ("hubert", lambda path: parts.load_encoders(AffectSettings(audio=path))),
    "AffectGPT's language": ("llama", lambda path: parts.load_model(AffectSettings(language=path))),
    "AffectGPT's Q-Formers": ("affectgpt", lambda path: parts.load_model(AffectSettings(qformers=path))),
}
# these read no weights
PREPARERS = {
    "image processor": ("clip", lambda path: load_image_processor(EncoderSettings(path))),
    "tokenizer": ("llama", lambda path: TextEncoder(EncoderSettings(path)).tokens("a")),
    "AffectGPT's processor": ("llama", lambda path: parts.load_processor(AffectSettings(language=path))),
    "AffectGPT's image processor": ("internvl", lambda path: parts.load_processor(AffectSettings(vision=path))),
    "AffectGPT's sound processor": ("hubert", lambda path: parts.load_processor(AffectSettings(audio=path))),
}


class Payload:
    """Unpickled, it makes the file `mark`."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    """The file that a stranger's code would make."""
    return tmp_path / "ran"


@pytest.fixture
def pickled_weights(tmp_path, mark):
    """A shipped checkpoint whose weights are a pickle that makes `mark`, in torch's form of today or of before 1.6."""
    import torch

    def make(name, modern):
        folder = shutil.copytree(SHIPPED / name, tmp_path / name)
        (folder / "model.safetensors").unlink()
        torch.save({"x": Payload(mark)}, folder / "pytorch_model.bin", _use_new_zipfile_serialization=modern)
        return folder

    return make


@pytest.fixture
def own_code(tmp_path, mark):
    """A shipped checkpoint that asks, wherever it can, for code of its own that makes `mark`."""

    def make(name):
        folder = shutil.copytree(SHIPPED / name, tmp_path / name)
        (folder / "own.py").write_text(CODE.format(mark=str(mark)))
        for file in folder.glob("*config.json"):
            about = json.loads(file.read_text()) | {"auto_map": dict.fromkeys(AUTO, "own.Own")}
            file.write_text(json.dumps(about | {"model_type": "own"} if file.name == "config.json" else about))
        return folder

    return make
