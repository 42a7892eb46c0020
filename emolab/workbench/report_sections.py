"""What the report of a profile tells, in its order: the notebooks' tables and figures, and what introduces them."""

from dataclasses import dataclass

WHEEL = ("level1_f", "level2_f")
MER2024 = ("avg", "accuracy", "recall")
PAPER = ("paper_avg", "paper_accuracy", "paper_recall")
GAIN = ("n", *MER2024, "by_seed", "p")  # of differences


@dataclass(frozen=True)
class Part:
    """A table or figure that a notebook leaves. Where it is not there, `instead` (a notebook's) may be; rows of `more`
    (notebook, table) join below. `columns`: the keys to show; none: all."""

    notebook: str
    name: str
    title: str
    columns: tuple[str, ...] = ()
    instead: str = ""
    more: tuple[str, str] | None = None
    figure: bool = False


def _figure(notebook: str, name: str, title: str) -> Part:
    return Part(notebook, name, title, figure=True)


@dataclass(frozen=True)
class Section:
    """A chapter of the report."""

    key: str
    title: str
    about: str
    parts: tuple[Part, ...]


_DATA, _FILTER, _INTERNVL, _AFFECTGPT, _FACES, _SIX, _FUSION, _INSPECT = (
    "01_data_generation", "02_caption_filtering", "03_internvl_finetune", "04_affectgpt_sft",
    "05_face_crop_ablation", "06_discriminative", "07_fusion_analysis", "08_inspect_predictions",
)  # fmt: skip

SECTIONS = (
    Section(
        "captions", "Captions and their filter",
        "Images out of clips, two captions of each, and a judge that keeps the pairs that agree (section 3.1.2). "
        "Table 1 counts what there is to learn from; where the truth is known, kept captions are measured against all.",
        (
            Part(_FILTER, "table_1", "Table 1: the data", ("type", "dataset", "n", "paper")),
            Part(_FILTER, "steps", "From images to kept captions", ("n", "lost", "why")),
            Part(_FILTER, "correctness", "Are kept captions more right?", ("n", "clips", *MER2024)),
            _figure(_FILTER, "threshold", "Kept captions and their score against the threshold"),
        ),
    ),
    Section(
        "table2", "Table 2: InternVL, fine-tuning, and the splice of all",
        "Labels of six frames and the words of a clip: zero-shot, after LoRA fine-tuning on the kept captions, and "
        "their unions (sections 2.1 and 2.3).",
        (
            Part(
                _FACES, "table_2", "Table 2", ("preprocess", "n", *MER2024, "labels_per_clip", *PAPER),
                instead=_INTERNVL, more=(_FUSION, "table_2"),
            ),
            Part(_INTERNVL, "differences", "Does fine-tuning help?", GAIN),
            _figure(_INTERNVL, "table_2", "Recall against accuracy"),
            _figure(_INTERNVL, "loss", "Training loss"),
        ),
    ),
    Section(
        "table3", "Table 3: AffectGPT",
        "A model that sees, hears and reads describes the test clips; InternVL's language model, or the lexicon, takes "
        "labels out of its words (section 2.2).",
        (
            Part(_AFFECTGPT, "table_3", "Table 3", ("n", *MER2024, "labels_per_clip", *PAPER)),
            Part(_AFFECTGPT, "differences", "All modalities against some, and SFT against before", GAIN),
        ),
    ),
    Section(
        "ablations", "Ablations",
        "One thing changed at a time, the rest the same: what is shown of a clip (05), what is given of it (04), and "
        "each step of the discriminative side (06, out of fold). Differences are paired by clip.",
        (
            Part(_FACES, "views", "Face crop or entire frame", ("n", *MER2024, "labels_per_clip")),
            Part(_FACES, "differences", "What a crop costs, and why", GAIN),
            _figure(_FACES, "families", "Recall of each emotion: crop against frame"),
            Part(_AFFECTGPT, "modalities", "AffectGPT by what it is given", ("n", *MER2024, "labels_per_clip")),
            _figure(_AFFECTGPT, "modalities", "AffectGPT by what it is given"),
            Part(_SIX, "ablation", "The discriminative side, step by step"),
            Part(_SIX, "steps", "What each step adds"),
            _figure(_SIX, "ablation", "The discriminative side, step by step"),
            _figure(_SIX, "missing", "When a modality is missing"),
        ),
    ),
    Section(
        "fusion", "Co-judgment",
        "Several models label the same clips; which of their words to keep? What learns is judged on clips that it has "
        "not learned from.",
        (
            _figure(_FUSION, "plane", "The plane: recall against precision, level 1 of the wheels"),
            Part(_FUSION, "strategies", "Strategies, held out", ("n", *WHEEL, *MER2024, "labels_per_clip")),
            Part(_FUSION, "differences", "The calibrated judgment against the others"),
            _figure(_FUSION, "plane_mer2024", "The same by the MER2024 metric, with the paper's rows"),
            _figure(_FUSION, "contributions", "Who contributes what"),
            _figure(_FUSION, "cost", "What each further label costs"),
        ),
    ),
    Section(
        "examples", "Examples",
        "Most are drawn with the seed, none is picked by hand; the clips with the lowest score come last. ✓ matched, "
        "− missed, + spurious, · no truth known; synonyms by the lexicon.",
        (
            _figure(_DATA, "caption_examples", "Two captions of each image"),
            _figure(_INTERNVL, "zero_shot_examples", "InternVL, zero-shot"),
            _figure(_INTERNVL, "fine_tuned_examples", "InternVL, fine-tuned"),
            _figure(_FACES, "faces", "Frames with face boxes, and crops"),
            Part(_AFFECTGPT, "examples", "AffectGPT: described beside the truth"),
            Part(_INSPECT, "models", "Of how many clips each model found all, or nothing"),
            Part(_FUSION, "worst", "Where the co-judgment goes wrong"),
        ),
    ),
)  # fmt: skip
