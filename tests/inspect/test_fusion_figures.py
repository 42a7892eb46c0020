"""Figures of the co-judgment: what is drawn, on small sets and on published predictions; hostile input is drawn too."""

import warnings

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from emolab.fusion.contributions import contributed, word_rows
from emolab.fusion.panel import Member, make_panel, read_panel
from emolab.inspect.fusion_figures import contributions, cost, plane, word_bars
from emolab.scoring import mer2024
from emolab.scoring.files import read_labels
from emolab.scoring.intervals import bootstrap_intervals
from emolab.scoring.table import baseline_rows, table_row

HOSTILE = r"_$\frac{1}{0}$ <b>" + "x" * 300 + "\nline"
TRUTH = {"a": ["happy", "sad"], "b": ["joyful"], "c": ["angry"], "z": ["calm"]}
PANEL = make_panel(
    [
        Member("one", {"a": ["glad", "excited"], "b": ["happy"], "c": ["angry"], "x": ["happy"]}),
        Member("two", {"a": ["happy", "sad"], "b": ["excited"], "c": ["furious", "mad"]}),
        Member("three", {"a": [], "c": ["excited"]}),
    ]
)
MEASURES = {"precision": "accuracy", "recall": "recall"}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def rows():
    score = mer2024.score
    own = [(m.name, score(TRUTH, m.labels)) for m in PANEL.members]
    return [table_row(name, each, bootstrap_intervals(each, 50)) for name, each in own] + baseline_rows(
        TRUTH, score, resamples=50
    )


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_plane_shows_points_curves_and_rows_of_another_data_set(tmp_path):
    curve = [{"setting": f"k = {k}", "accuracy": 0.2 * k, "recall": 1 - 0.2 * k} for k in (1, 2, 3)]
    paper = [{"name": "published", "accuracy": 0.39, "recall": 0.84}, {"name": HOSTILE, "accuracy": 0.5, "recall": 0.5}]
    figure = plane(rows(), {"vote": curve, HOSTILE: curve[:1]}, "drawn corpus", paper, **MEASURES)
    axis = figure.axes[0]
    (line,) = [line for line in axis.lines if line.get_label() == "vote, over its setting"]
    assert np.allclose(line.get_xydata(), [[20, 80], [40, 60], [60, 40]])
    stars = [line for line in axis.lines if line.get_marker() == "*" and line.get_markerfacecolor() == "white"]
    assert np.allclose(stars[0].get_xydata(), [[39, 84]]) and len(stars) == 2
    said = legend_of(figure)
    assert said.index("two") < said.index("vote, over its setting") < said.index("1  published")
    assert said[said.index("1  published") - 1] == "of another data set, not comparable:"
    assert {"k = 1", "k = 3", "1", "2"} <= {text.get_text() for text in axis.texts}
    assert "drawn corpus" in axis.get_title("left") and "n = 2 to 4 clips" in axis.get_title("left")
    figure.savefig(tmp_path / "a.png")


def test_synonyms_are_one_label_and_only_labelled_clips_count():
    assert sorted(contributed(PANEL, TRUTH)) == [
        (("one",), False),  # a: excited
        (("one",), True),  # b: happy
        (("one", "two"), True),  # a: glad, happy
        (("one", "two"), True),  # c: angry, furious, mad
        (("three",), False),  # c: excited
        (("two",), False),  # b: excited
        (("two",), True),  # a: sad
    ]


def test_contributions_are_stacked_largest_first(tmp_path):
    said = contributed(PANEL, TRUTH) + [(("three", "two"), False)] * 3 + [(("one", "two"), True)] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = contributions(said, "drawn corpus", most=3)
    assert type(figure) is Figure
    heights = {
        tuple(bar.get_height() for bar in stack) for axis in figure.axes for stack in axis.containers if len(stack) == 3
    }
    assert {(4, 0, 1), (0, 3, 1)} <= heights  # right and wrong of {one, two}, {three, two} and {one}
    left = next(axis for axis in figure.axes if axis.get_xlabel() == "labels of each member")
    widths = [[bar.get_width() for bar in stack][::-1] for stack in left.containers]
    assert widths == [[5, 5, 0], [4, 1, 4]]  # right and wrong of two, one and three, from the top
    names = {text.get_text(): text for axis in figure.axes for text in axis.texts}
    figure.canvas.draw()
    heights = [names[name].get_window_extent().y0 for name in ("three", "one", "two")]
    assert heights == sorted(heights)
    title = figure.get_suptitle()
    assert "n = 12 labels" in title and "3 largest of 5 sets; the other 2 hold 25 %" in title
    figure.savefig(tmp_path / "a.png", bbox_inches="tight")
    figure.savefig(tmp_path / "a.svg", bbox_inches="tight")


def test_words_of_each_member(tmp_path):
    found = word_rows(PANEL, TRUTH)
    assert [row for row in found if row["member"] == "two" and row["right"]] == [
        {"member": "two", "word": word, "right": 1, "wrong": 0} for word in ("furious", "happy", "mad", "sad")
    ]
    assert {"member": "three", "word": "excited", "right": 0, "wrong": 1} in found
    figure = word_bars(found, "drawn corpus")
    widths = {bar.get_width() for axis in figure.axes for bar in axis.patches}
    assert widths == {-1, 0, 1} and "n = 10 labels" in figure.get_suptitle()
    figure.savefig(tmp_path / "a.png")


def test_members_without_a_panel_are_named(tmp_path):
    many = [{"member": f"m{n}", "word": HOSTILE, "right": n, "wrong": 1} for n in range(8)]
    figure = word_bars(many, HOSTILE)
    assert len(figure.axes) == 6 and figure.get_supxlabel().endswith("not shown: m6, m7")
    figure.savefig(tmp_path / "a.png")


def test_cost_has_labels_per_clip_against_each_score(tmp_path):
    figure = cost(rows(), "drawn corpus", ("recall", "avg"))
    assert [axis.get_ylabel() for axis in figure.axes] == ["Recall (%)", "Avg (%)"]
    first = figure.axes[0].containers[0].lines[0].get_xydata()
    assert np.allclose(first, [[4 / 3, 100 * rows()[0]["recall"]]])
    assert sum(name.startswith("baseline: ") for name in legend_of(figure)) == 2
    figure.savefig(tmp_path / "a.png")


def test_one_member_hostile_names_and_nothing_at_all_are_drawn(tmp_path):
    one = make_panel([Member(HOSTILE, {"a": ["happy", HOSTILE]})])
    other = make_panel([*one.members, Member(HOSTILE[:-1], {"a": ["sad"]})])  # alike once they are cut short
    figures = [contributions(contributed(each, TRUTH), HOSTILE) for each in (one, other)]
    figures += [word_bars(word_rows(other, TRUTH), HOSTILE), contributions([], ""), word_bars([], ""), cost([], "")]
    figures.append(plane([], {}, "", **MEASURES))
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png", bbox_inches="tight")


def test_published_predictions(tmp_path, golden):
    panel, truth = read_panel([golden / "ov-merd-predictions"]), read_labels(golden / "mer2024-ov/check-openset.csv")
    said = contributed(panel, truth)
    assert "the 20 largest of" in contributions(said, "OV-MERD").get_suptitle()
    by_all = [right for names, right in contributed(_two_stage(panel), truth) if len(names) == 5]
    alone = [right for names, right in contributed(_two_stage(panel), truth) if len(names) == 1]
    assert np.mean(by_all) > 0.7 > 0.2 > np.mean(alone)  # what all say is right, what one says mostly is not


def _two_stage(panel):
    return panel.pick(name for name in panel.names if name.endswith("addsub"))


@pytest.fixture
def golden(pytestconfig):
    folder = pytestconfig.rootpath.parent / "shared" / "golden"
    if not folder.exists():
        pytest.skip(f"no published predictions: {folder} is not there")
    return folder
