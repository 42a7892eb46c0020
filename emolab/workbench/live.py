"""The models of a profile for one new clip: InternVL as it is and fine-tuned, AffectGPT, and their co-judgment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from emolab.affectgpt.settings import MODALITIES, AffectSettings
from emolab.corpora.clip import Clip
from emolab.engine.chat import ChatModel
from emolab.engine.rows import RowFile
from emolab.engine.settings import ModelSettings
from emolab.engine.weights import is_whole, local_folder
from emolab.errors import InputError
from emolab.inspect.live import Predictor
from emolab.workbench.panel import AFFECTGPT, FINE_TUNE, ZERO_SHOT
from emolab.workbench.places import run_folder
from emolab.workbench.session import Run
from emolab.workbench.settings import Settings
from emolab.workbench.tables import printable

if TYPE_CHECKING:
    from emolab.affectgpt.describe import Describer
    from emolab.affectgpt.encoding import ClipEncoder
    from emolab.engine.feature_store import FeatureStore

FUSED = "fusion: calibrated"
Row = dict[str, Any]
Said = Mapping[str, Mapping[str, Any]]
Say = Callable[[str], None]
Predict = Callable[[Clip, Said, Say], Row]
_T = TypeVar("_T")


def predictors(run: Run) -> list[Predictor]:
    """The models that can be asked now, called as in notebooks 03, 04 and 07, with what these have trained.

    Nothing is loaded or fetched yet; what is not on this machine is left out, and said. Answers are kept in live/ of
    the run's folder.
    """
    settings, found = run.settings, {}
    models = _Models(settings, run.folder / "live")
    if not settings.internvl.path:
        return []
    lost = _missing(settings.internvl, "notebook 03")
    if lost:
        _left_out(f"{ZERO_SHOT}, {FINE_TUNE}, {AFFECTGPT}", lost)  # InternVL takes the labels from AffectGPT's texts
        return []
    found[ZERO_SHOT] = models.internvl(None)
    adapter = _adapter(settings)
    if adapter:
        found[FINE_TUNE] = models.internvl(adapter)
    elif settings.sft.seeds:
        _left_out(FINE_TUNE, "there is no adapter yet; notebook 03 trains one.")
    try:
        found[AFFECTGPT] = models.affectgpt(_affectgpt(settings))
    except InputError as error:
        _left_out(AFFECTGPT, str(error))
    saved = run_folder(settings.outputs, settings.profile, "07_fusion_analysis") / "calibrated.safetensors"
    try:
        found[FUSED] = _co_judgment(saved, settings, found)
    except InputError as error:
        _left_out(FUSED, str(error))
    return [Predictor(name, predict) for name, predict in found.items()]


def note(settings: Settings, clips: Sequence[Clip]) -> str | None:
    """What must be said of the labels of these clips where the profile's model is a shipped one, which understands
    drawn clips only; else None."""
    if not settings.internvl.path.startswith("shipped:"):
        return None
    from emolab.demo.corpus import is_drawn

    other = [clip.clip_id for clip in clips if not (clip.video and is_drawn(clip.video))]
    if not other:
        return None
    named = ", ".join(other[:3]) + (", …" if len(other) > 3 else "")
    which = "this video" if len(clips) == 1 else f"{len(other)} of {len(clips)} videos ({named})"
    return (
        f"the demo model only understands clips drawn by emolab; its labels for {which} mean nothing. "
        "For videos of people take --profile laptop or gpu."
    )


class Unloadable(Protocol):
    """A model that can give its memory back, and loads itself again when it is asked."""

    def unload(self) -> None: ...


class _Models:
    """The profile's models, each loaded when it is first asked, and kept until another one needs its memory."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._made: dict[str, Any] = {}
        self._loaded: list[Unloadable] = []  # or not yet

    def internvl(self, adapter: str | None) -> Predict:
        """InternVL as it is, or with an adapter, asked as in notebook 03."""

        def predict(clip: Clip, said: Said, say: Say) -> Row:
            from emolab.internvl import zero_shot

            settings = self._settings
            model = self._chat(replace(settings.internvl, adapter=adapter), say)
            say("looks at the frames")
            where = {"seed": settings.seed, "cache_dir": self._folder / "frames", "progress": False}
            with self._answers() as answers:
                ask = partial(zero_shot.predict, [clip], model, settings.frames, answers, **where)
                row = self._with_room(model, ask)[0]
            return row | {"note": note(settings, [clip])}

        return predict

    def affectgpt(self, parts: AffectSettings) -> Predict:
        """AffectGPT's description of the clip by all that it has learned to take, and the labels that InternVL finds in
        it, as in notebook 04."""
        given = [name for name in MODALITIES if name in self._settings.affectgpt_sft.modalities]

        def predict(clip: Clip, said: Said, say: Say) -> Row:
            from emolab.affectgpt.describe import describe_clips
            from emolab.engine.extraction import extract_with_model

            encoder, store, describer = self._once("AffectGPT", lambda: self._parts(parts), say)
            say("watches and listens")
            self._with_room(encoder, partial(store.compute, [clip], encoder, 1, progress=False))
            with self._answers() as answers:
                say("describes the clip")
                how = {"modalities": given, "progress": False}
                described = self._with_room(
                    describer, partial(describe_clips, [clip], store, describer, answers, **how)
                )
                told = described[0] | {"labels": [], "note": note(self._settings, [clip])}
                if told["error"]:
                    return told
                model = self._chat(self._settings.internvl, say)
                say("InternVL takes the labels from its description")
                texts = {clip.clip_id: told["text"]}
                taken = self._with_room(model, partial(extract_with_model, texts, model, answers, progress=False))[0]
            return told | {"labels": taken["labels"], "error": taken["error"], "taken from it": taken["text"]}

        return predict

    def _parts(self, parts: AffectSettings) -> tuple[ClipEncoder, FeatureStore, Describer]:
        from emolab.affectgpt.describe import Describer
        from emolab.affectgpt.encoding import ClipEncoder, feature_store

        encoder = ClipEncoder.of(parts)
        store = feature_store(parts, self._settings.faces, 0, self._folder / "features", encoder.identity)
        return encoder, store, Describer(parts, self._settings.seed)

    def _chat(self, settings: ModelSettings, say: Say) -> ChatModel:
        return self._once(f"InternVL {settings.adapter}", lambda: ChatModel(settings, self._settings.seed), say)

    def _once(self, name: str, make: Callable[[], _T], say: Say) -> _T:
        if name not in self._made:
            say("reads its weights")
            self._made[name] = make()
        return self._made[name]

    def _answers(self) -> RowFile:
        """Open only while a model is asked: another process may want the file."""
        return RowFile(self._folder / "answers.jsonl")

    def _with_room(self, model: Unloadable, ask: Callable[[], _T]) -> _T:
        """What `ask` gives; where it fails while other models are loaded, once more without these: large ones do not
        fit beside each other."""
        others = [each for each in self._loaded if each is not model]
        self._loaded = [*others, model]
        try:
            return ask()
        except InputError:
            raise
        except Exception:
            if not others:
                raise
        for each in others:
            each.unload()
        self._loaded = [model]
        return ask()


def _co_judgment(path: Path, settings: Settings, others: Mapping[str, Any]) -> Predict:
    """What notebook 07 fitted, for the rows of the models asked before it. InputError where there is nothing that fits
    them."""
    from emolab.fusion.panel import Panel, member_of_rows
    from emolab.fusion.saved import load
    from emolab.fusion.votes import prediction_rows
    from emolab.scoring.evaluate import profile_wheels

    if not path.is_file():
        raise InputError("nothing is fitted yet; notebook 07 does it.")
    judgment = load(path, profile_wheels(settings.scoring))
    if not judgment.weights.keys() & others.keys():
        raise InputError(f"notebook 07 fused other models ({', '.join(judgment.weights)}).")

    def predict(clip: Clip, said: Said, say: Say) -> Row:
        panel = Panel(tuple(member_of_rows(name, [row]) for name, row in said.items()), (clip.clip_id,))
        return prediction_rows(panel, judgment.fuse(panel), FUSED, settings.fusion.seeds[0])[0]

    return predict


def _adapter(settings: Settings) -> str | None:
    """The adapter that notebook 03 trained first, else the one that the profile names."""
    trained = run_folder(settings.outputs, settings.profile, "03_internvl_finetune") / "sft"
    found = [trained / f"seed{seed}" / "adapter" for seed in settings.sft.seeds]
    return next((str(folder) for folder in found if is_whole(folder)), settings.internvl.adapter)


def _affectgpt(settings: Settings) -> AffectSettings:
    """The parts of AffectGPT, with the Q-Formers that notebook 04 trained first. InputError for those not there."""
    parts = settings.affectgpt
    trained = run_folder(settings.outputs, settings.profile, "04_affectgpt_sft") / "sft"
    for seed in settings.affectgpt_sft.seeds:
        folder = trained / f"seed{seed}" / "qformers"
        if all((folder / name).is_file() for name in ("config.json", "model.safetensors", "emolab.json")):
            parts = replace(parts, qformers=str(folder))
            break
    if parts.qformers is None:
        raise InputError("its Q-Formers are untrained; notebook 04 trains them.")
    for name in ("vision", "audio", "language", "qformers", "image_qformer"):
        path = getattr(parts, name)
        lost = path is not None and _missing(ModelSettings(path=path), "notebook 04")
        if lost:
            raise InputError(lost)
    return parts


def _missing(settings: ModelSettings, fetches: str) -> str | None:
    """Why the weights are not on this machine; None where they are."""
    try:
        if not settings.path:
            return "the profile names no model."
        if local_folder(settings) is None and settings.use_hf:
            from huggingface_hub import try_to_load_from_cache

            if not isinstance(try_to_load_from_cache(settings.path, "config.json"), str):
                return f"{settings.path} is not on this machine; {fetches} fetches it."
    except (InputError, ImportError, ValueError) as error:  # ValueError: no name that a hub could know
        return str(error)
    return None


def _left_out(name: str, reason: str) -> None:
    print(printable(f"left out of live prediction: {name}: {reason}"))
