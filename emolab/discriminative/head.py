"""A trained fusion head: its weights and temperature, what it says of clips, and its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from torch.func import functional_call

from emolab.corpora.clip import SIX_WAY
from emolab.discriminative.fusion import Fusion, build_fusion
from emolab.discriminative.settings import FUSIONS, MODALITIES, FusionSettings, ModalityDropout
from emolab.discriminative.table import FeatureTable
from emolab.errors import InputError, RunError
from emolab.whole import whole

WEIGHTS, ABOUT = "head.safetensors", "head.json"
_ROWS = 1024  # clips at once: 30 MB of vectors of 7000 numbers
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True, eq=False)
class Head:
    """One trained head. `state` holds its tensors on the CPU, `valid_f1` the weighted F1 of its best epoch, `history`
    what each epoch gave (epoch, train_loss, valid_loss, valid_f1), `seed` what its weights started from."""

    kind: str
    settings: FusionSettings
    widths: dict[str, int]
    state: dict[str, torch.Tensor]
    temperature: float
    valid_f1: float
    history: list[dict[str, float]]
    seed: int

    def probabilities(
        self,
        features: FeatureTable,
        hide: Sequence[str] = (),
        *,
        rows: np.ndarray | None = None,
        device: str | torch.device = "cpu",
    ) -> np.ndarray:
        """Calibrated probabilities [n, 6] of the clips of a table (of `rows` alone, in their order), without the
        modalities of `hide`. NaN for a clip of which nothing is left that the head knows.

        Raises InputError for vectors of another width, and for a modality that does not exist.
        """
        if features.widths != self.widths:
            raise InputError(f"This head was trained on vectors of the widths {self.widths}, not {features.widths}.")
        if unknown := set(hide) - set(MODALITIES):
            raise InputError(f"There is no modality {min(unknown)!r} to hide; one of {', '.join(MODALITIES)}.")
        rows = np.arange(len(features)) if rows is None else np.asarray(rows)
        shown = np.array([name not in hide for name in MODALITIES]) & self.state["known"].numpy()
        model = _skeleton(self.settings, self.kind, self.widths).eval()
        state = {name: tensor.to(device) for name, tensor in self.state.items()}
        found = np.full((len(rows), len(SIX_WAY)), np.nan)
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            present = features.present[part] & shown
            vectors = {name: torch.from_numpy(features.vectors[name][part]).to(device) for name in MODALITIES}
            with torch.no_grad():
                logits = functional_call(model, state, (vectors, torch.from_numpy(present).to(device)))
            told = softmax(logits.double().cpu().numpy() / self.temperature, axis=1)
            found[start : start + _ROWS] = np.where(present.any(axis=1)[:, None], told, np.nan)
        return found

    def save(self, folder: str | Path) -> None:
        """Write `head.safetensors` and `head.json`, which has the checksum of the former and marks it whole.

        Raises RunError where the disk does not take them.
        """
        folder, content = Path(folder), save(self.state)
        kept = ("kind", "settings", "widths", "temperature", "valid_f1", "history", "seed")
        about = {name: getattr(self, name) for name in kept} | {"settings": asdict(self.settings)}
        about["sha256"] = hashlib.sha256(content).hexdigest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, written in ((WEIGHTS, content), (ABOUT, f"{json.dumps(about, indent=1)}\n".encode())):
                with whole(folder / name) as partial:
                    partial.write_bytes(written)
        except OSError as error:
            raise RunError(f"{folder} cannot be written ({error.strerror}); make room or give another.") from None

    @classmethod
    def load(cls, folder: str | Path) -> Head:
        """Read what `save` wrote. Raises InputError for files that are missing, damaged or of another shape."""
        folder = Path(folder)
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            content = (folder / WEIGHTS).read_bytes()
            if hashlib.sha256(content).hexdigest() != about.pop("sha256"):
                raise ValueError("its checksum does not fit")
            settings = about.pop("settings")
            settings = FusionSettings(**settings | {"drop": ModalityDropout(**settings["drop"])})
            head = cls(**about, settings=settings, state=load(content))
            known = head.kind in FUSIONS and head.widths.keys() == set(MODALITIES)
            wanted = _skeleton(settings, head.kind, head.widths).state_dict() if known else {}
        except OSError as error:
            raise InputError(f"{folder} holds no whole head ({error.strerror}); train it again.") from None
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError, InputError) as error:
            raise InputError(f"{folder}: the head is damaged ({error}); train it again.") from None
        if _shapes(head.state) != _shapes(wanted):
            raise InputError(f"{folder}: the weights are not of the shape that {ABOUT} tells; train the head again.")
        return head


def best_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature T in [0.05, 20] under which softmax(logits [n, 6] / T) makes classes [n] likeliest (Guo et
    al. 2017).

    The likelihood has one maximum in 1 / T, so that a search over log T finds it.
    """

    def loss(log_t: float) -> float:
        return -float(log_softmax(logits / np.exp(log_t), axis=1)[np.arange(len(targets)), targets].mean())

    found = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def _skeleton(settings: FusionSettings, kind: str, widths: dict[str, int]) -> Fusion:
    """A head without weights, for `functional_call`."""
    with torch.device("meta"):
        return build_fusion(settings, kind, widths)


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, tuple]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}
