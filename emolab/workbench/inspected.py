"""What notebook 08 shows: the predictions of a profile's notebooks, or a folder of the user's, and their clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from emolab.corpora.clip import Clip
from emolab.engine.rows import read_rows
from emolab.errors import InputError
from emolab.inspect.media import Look
from emolab.media.settings import FrameSettings
from emolab.workbench.corpus import corpus_name, use_corpus
from emolab.workbench.live import note
from emolab.workbench.panel import open_panel, own_rows
from emolab.workbench.session import Run
from emolab.workbench.settings import Settings
from emolab.workbench.tables import printable

FUSED = "07_fusion_analysis"


def open_inspected(run: Run) -> tuple[list[Clip], dict[str, dict[str, Mapping[str, Any]]], str]:
    """The clips that any model answered, model -> clip_id -> Prediction row, and what the corpus is called; all that is
    read is named to the run.

    With `fusion.predictions` these files; else what notebooks 03, 04 and 06 of the profile have written so far; a line
    is printed where a shipped model was asked about clips that are not drawn. Of 07 the strategies that
    `inspector.fused` names. InputError where no notebook has run and no files are named.
    """
    if run.settings.fusion.predictions or not run.settings.internvl.path:
        clips, answers, corpus = _published(run)
    else:
        root, clips = use_corpus(run)
        corpus = corpus_name(run.settings, root)
        answers = {name: _by_clip(rows) for name, rows in own_rows(run, required=False).items()}
        if not answers:
            first = f"emolab run 03 --profile {run.settings.profile}"
            raise InputError(f"no notebook of profile {run.settings.profile} has made predictions yet; first: {first}")
        labelled = {clip for rows in answers.values() for clip, row in rows.items() if row["labels"]}
        others = [clip for clip in clips if clip.clip_id in labelled] if run.settings.corpus.reader != "drawn" else []
        if warning := note(run.settings, others):
            print(printable(f"note: {warning}"))
    answers |= _fused(run)
    answered = {clip for rows in answers.values() for clip in rows}
    kept = [clip for clip in clips if clip.clip_id in answered]
    if not kept:
        raise InputError(f"the predictions are of other clips than those of {corpus}; run the notebooks again")
    return kept, answers, corpus


def looks(settings: Settings) -> list[Look]:
    """How the profile's models drew frames of a clip: InternVL, AffectGPT and the discriminative side, these two with
    seed 0, whatever the run's (their features are of the first draw)."""
    drawn = {"InternVL": (settings.frames, settings.seed)}
    drawn |= {"AffectGPT": (settings.affectgpt.frames, 0)} if settings.affectgpt.vision else {}
    drawn |= {"discriminative": (settings.discriminative.frames, 0)} if settings.discriminative.video.path else {}
    return [Look(f"{who}: {_said(*how)}", how[0], settings.faces, how[1]) for who, how in drawn.items()]


def _published(run: Run) -> tuple[list[Clip], dict[str, dict[str, Mapping[str, Any]]], str]:
    panel, truth, corpus = open_panel(run)
    answers: dict[str, dict[str, Mapping[str, Any]]] = {}
    for member in panel.members:
        answers[member.name] = {
            clip: {
                "labels": labels,
                "text": member.texts.get(clip, ""),
                "probabilities": member.probabilities.get(clip),
            }
            for clip, labels in member.labels.items()
        }
    return [Clip(clip, labels=tuple(truth[clip])) for clip in panel.clip_ids], answers, corpus


def _fused(run: Run) -> dict[str, dict[str, Mapping[str, Any]]]:
    wanted = [f"fusion: {name}" for name in run.settings.inspector.fused]
    path = run.step(FUSED, "predictions.jsonl", required=False) if wanted else None
    rows = read_rows(path) if path else []
    known = list(dict.fromkeys(row["model"] for row in rows))
    unknown = [name for name in wanted if name not in known]
    if rows and unknown:
        raise InputError(f"inspector.fused: 07 has no {unknown[0]!r}; it has {', '.join(known)} (without 'fusion: ')")
    return {name: _by_clip(row for row in rows if row["model"] == name) for name in wanted if rows}


def _by_clip(rows: Iterable[dict]) -> dict[str, Mapping[str, Any]]:
    return {row["clip_id"]: row for row in rows}


def _said(frames: FrameSettings, seed: int) -> str:
    return f"{frames.parts} {frames.draw} frames" + (f", seed {seed}" if frames.draw == "random" else "")
