import pytest
from matplotlib import pyplot as plt

from emolab.inspect import caption_figures as figures

CORPUS = "drawn corpus"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(figure):
    """All text of a figure, after it was drawn (which fails on mathematics in it)."""
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(plt.Text))


def rows(images):
    keys = {"clip_id": "clip", "time": 0.5, "position": 1, "kept": True, "reason": None, "error": None}
    return [{"image_id": f"clip_{n}", "image": f"images/{n}.jpg", **keys} for n in range(images)]


def test_the_histogram_counts_every_pair(pairs):
    figure = figures.score_histogram(pairs, 0.9, CORPUS)
    shown = words(figure)
    assert "drawn corpus, n = 8 pairs" in shown and "1 answers without a score, 1 images without two" in shown
    assert "kept: 4" in shown and "dropped: 2" in shown and "threshold 0.90" in shown and len(figure.axes) == 2
    read = figure.axes[0].patches  # bins of 0.05; a score of 0.9 stands right of the threshold
    kept, dropped = read[:21], read[21:]
    assert [bar.get_height() for bar in kept[17:]] == [0, 2, 1, 1] and dropped[17].get_height() == 1
    only = [pair | {"expected": None} for pair in pairs]
    assert len(figures.score_histogram(only, 0.9, CORPUS).axes) == 1


def test_the_sweep_shows_what_is_kept_and_how_correct_it_is():
    sweep = [
        {"threshold": t, "kept": k, "correctness": c, "low": c and c - 0.1, "high": c and c + 0.1}
        for t, k, c in ((0.0, 40, 0.6), (0.9, 12, 0.8), (1.0, 0, None))
    ]
    figure = figures.kept_against_threshold(sweep, 0.9, CORPUS)
    shown = words(figure)
    assert len(figure.axes) == 2 and "12 kept" in shown and "80.0%" in shown and "n = 40 pairs" in shown
    counts = figures.kept_against_threshold([{"threshold": 0.5, "kept": 3}], 0.9, CORPUS)
    assert len(counts.axes) == 1 and CORPUS in words(counts)


def test_agreement_of_the_two_scores(pairs):
    shown = words(figures.score_agreement(pairs, CORPUS))
    assert "n = 6 pairs" in shown and "Spearman 1.00" in shown and "mean difference 0.020" in shown
    assert "Spearman –" in words(figures.score_agreement(pairs[:1], CORPUS))


def test_a_sheet_of_pairs_shows_hostile_text_as_text(pairs, pairs_folder):
    pairs[0]["image"] = "../x.jpg"
    shown = words(figures.pair_sheet(pairs, pairs_folder, CORPUS))
    assert "<script>" in shown and r"\$x\$" in shown and "…" in shown and "second (chosen): 她很" in shown
    assert "✓ kept, chosen: second" in shown and "− dropped: No pair of captions" in shown
    assert "outside of" in shown and "(no caption)" in shown and "score 0.85 (expected 0.83)" in shown
    words(figures.pair_sheet(pairs[:1], pairs_folder, CORPUS))


def test_near_duplicates_stand_beside_what_they_repeat(pairs_folder):
    images = rows(8)
    images[6] |= {"kept": False, "reason": "near-duplicate of clip_2"}
    images[7] |= {"kept": False, "image": None, "error": "a.mp4: cannot be decoded."}
    figure = figures.image_sheet(images, pairs_folder, CORPUS, most=6)
    labels = [text.get_text().replace("\n", " ") for axis in figure.axes for text in axis.texts]
    assert labels[:2] == ["clip_2", "− clip_6 near-duplicate of clip_2"]
    shown = words(figures.image_sheet(images, pairs_folder, CORPUS))
    assert "n = 6 kept of 8; 8 shown" in shown and "a.mp4: cannot be" in shown


def test_lengths_leave_out_what_is_not_there():
    shown = words(figures.length_distribution({"first": ["a b c", "a b", ""], "第二": ["她很高兴 yes"]}, CORPUS))
    assert "first: n = 2, median 2" in shown and "n = 1, median 5" in shown and "n = 3 texts" in shown


def test_labels_before_and_after():
    counts = {"before": {"happy": 5, "sad": 3, "$x$": 1}, "after": {"happy": 2}}
    figure = figures.label_distribution(counts, CORPUS, most=2)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["happy", "sad"]
    shown = words(figure)
    assert "before: 9" in shown and "after: 2" in shown and "n = 2 of 3 labels" in shown
    words(figures.label_distribution(counts, CORPUS))


@pytest.mark.parametrize(
    "draw",
    [
        lambda folder: figures.score_histogram([], 0.9, CORPUS),
        lambda folder: figures.kept_against_threshold([], 0.9, CORPUS),
        lambda folder: figures.score_agreement([], CORPUS),
        lambda folder: figures.pair_sheet([], folder, CORPUS),
        lambda folder: figures.image_sheet([], folder, CORPUS),
        lambda folder: figures.length_distribution({"first": []}, CORPUS),
        lambda folder: figures.label_distribution({}, CORPUS),
    ],
)
def test_nothing_to_show_says_so(draw, tmp_path):
    shown = words(draw(tmp_path))
    assert CORPUS in shown and "n = 0" in shown
