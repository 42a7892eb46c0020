"""The predictions that notebook 07 fuses: what the earlier notebooks of a profile wrote, or a folder of the user's."""

from __future__ import annotations

from pathlib import Path

from emolab.engine.rows import read_rows
from emolab.errors import InputError
from emolab.fusion.panel import Member, Panel, make_panel, member_of_rows, read_panel
from emolab.fusion.strategies import union
from emolab.internvl.table2 import PAPER_TABLE_2
from emolab.scoring.files import official_cell, read_labels
from emolab.scoring.runs import Runs
from emolab.workbench.corpus import corpus_name, labelled_clips, use_corpus, use_scoring
from emolab.workbench.session import Run
from emolab.workbench.tables import printable

ZERO_SHOT, FINE_TUNE, AFFECTGPT, DISCRIMINATIVE = (
    "InternVL/zero-shot",
    "InternVL/fine-tune",
    "AffectGPT",
    "discriminative",
)

_GET = (
    "Notebook 07 of profile {profile} fuses published predictions: --set predictions=DIR truth=FILE tables=DIR. "
    "predictions: MODEL/VARIANT-openset.npz with VARIANT-reason.jsonl beside it, as the authors of OV-MERD publish "
    "them (github.com/zeroQiaoba/AffectGPT), or your own csv, jsonl and npz files. truth: check-openset.csv of "
    "MER2024/ov_store, tables: the folder emotion_wheel of MER2025/MER2025_Track23, both of "
    "github.com/zeroQiaoba/MERTools; without tables emolab's own wheel scores."
)


def open_panel(run: Run) -> tuple[Panel, dict[str, list[str]], str]:
    """The panel, the true labels of its clips, and what tables call the corpus; all that is read is named to the run.

    With `fusion.predictions` these files and `fusion.truth`; else the rows of notebooks 03, 04 and 06. InputError where
    neither is there, saying what to get.
    """
    plan = run.settings.fusion
    use_scoring(run)
    if plan.predictions:
        return _published(run)
    if not run.settings.internvl.path:
        raise InputError(_GET.format(profile=run.settings.profile))
    root, clips = use_corpus(run)
    truth = {clip.clip_id: list(clip.labels) for clip in labelled_clips(clips)}
    panel = make_panel(_own_members(run))
    kept = [clip for clip in panel.clip_ids if clip in truth]
    return panel.on(kept), {clip: truth[clip] for clip in kept}, corpus_name(run.settings, root)


def last_row(run: Run, panel: Panel, spliced: Panel) -> tuple[str, Runs, dict[str, str | float | None]]:
    """The last system of Table 2: its name, its label sets and the paper's numbers. Zero-shot, fine-tuned and
    discriminative labels spliced, one run for each seed of the fine-tuning; of published predictions the splice of
    `spliced`, for which the paper has no number."""
    names = ("paper_avg", "paper_accuracy", "paper_recall")
    if not {ZERO_SHOT, DISCRIMINATIVE} <= set(panel.names):
        nothing = dict.fromkeys(names)
        return f"all of {', '.join(spliced.names)}", [union().fit(spliced, {})(spliced)], nothing
    tuned: dict[int | None, list[dict]] = {}
    for row in read_rows(run.step("03_internvl_finetune", "fine_tuned.jsonl")):
        tuned.setdefault(row["sft_seed"], []).append(row)
    first, last = panel.pick([ZERO_SHOT]).members[0], panel.pick([DISCRIMINATIVE]).members[0]
    runs = []
    for rows in tuned.values() or [[]]:
        some = Panel((first, member_of_rows(FINE_TUNE, rows), last), panel.clip_ids)
        runs.append(union().fit(some, {})(some))
    (model, preprocess), numbers = list(PAPER_TABLE_2.items())[-1]
    return model, runs, {"preprocess": preprocess, **dict(zip(names, numbers, strict=True))}


def _published(run: Run) -> tuple[Panel, dict[str, list[str]], str]:
    plan, tables = run.settings.fusion, run.settings.scoring.tables
    if not plan.truth:
        raise InputError(f"fusion.predictions is {plan.predictions}, but no truth is named: truth=FILE of true labels")
    folder, truth_file = Path(plan.predictions).expanduser(), Path(plan.truth).expanduser()
    run.use("predictions", folder)
    run.use("truth", truth_file)
    reading = {"cell": official_cell} if tables else {}
    panel, truth = read_panel([folder], **reading), read_labels(truth_file, **reading)
    kept = [clip for clip in panel.clip_ids if truth.get(clip)]
    if not kept:
        raise InputError(f"{truth_file}: has true labels for none of the {len(panel.clip_ids)} clips in {folder}")
    silent = [member.name for member in panel.members if not any(clip in member.labels for clip in kept)]
    if silent:
        print(printable(f"left out, for they answered no clip with true labels: {', '.join(silent)}"))
        panel = panel.pick(name for name in panel.names if name not in silent)
    return panel.on(kept), {clip: truth[clip] for clip in kept}, folder.resolve().name


def _own_members(run: Run) -> list[Member]:
    return [member_of_rows(name, rows) for name, rows in own_rows(run).items()]


def own_rows(run: Run, required: bool = True) -> dict[str, list[dict]]:
    """Member -> its Prediction rows, of what notebooks 03, 04 and 06 of the profile wrote; of several trainings the
    first seed. A notebook that has not run to its end is an InputError where `required`, else left out."""
    found: dict[str, list[dict]] = {}
    if zero_shot := run.step("03_internvl_finetune", "zero_shot.jsonl", required):
        found[ZERO_SHOT] = read_rows(zero_shot)
        tuned = read_rows(run.step("03_internvl_finetune", "fine_tuned.jsonl"))
        if tuned:
            found[FINE_TUNE] = [row for row in tuned if row["sft_seed"] == tuned[0]["sft_seed"]]
    if described := run.step("04_affectgpt_sft", "descriptions.jsonl", required):
        found[AFFECTGPT] = _affectgpt(
            read_rows(described), read_rows(run.step("04_affectgpt_sft", "predictions.jsonl"))
        )
    if six_way := run.step("06_discriminative", "predictions.jsonl", required):
        found[DISCRIMINATIVE] = read_rows(six_way)
    return found


def _affectgpt(described: list[dict], extracted: list[dict]) -> list[dict]:
    """Labels that InternVL took from the descriptions of the last AffectGPT (trained here, or as given), which are its
    texts: those of its first training, when given all that it has learned to take. It only answered the clips that it
    was not trained on."""
    last = described[-1]
    first = next(row for row in described if (row["system"], row["given"]) == (last["system"], last["given"]))

    def wanted(row: dict) -> bool:
        return all(row[key] == first[key] for key in ("system", "given", "sft_seed"))

    told = {row["clip_id"]: row for row in described if wanted(row)}
    return [
        {**told[row["clip_id"]], "labels": row["labels"], "error": row["error"], "taken from it": row["text"]}
        for row in extracted
        if wanted(row) and row["extractor"] == "InternVL"
    ]
