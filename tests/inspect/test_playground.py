"""The playground's Python side: what its messages answer, what it remembers, and its page without a browser."""

import json
from html.parser import HTMLParser

import pytest

from emolab.errors import InputError
from emolab.fusion.panel import Member, make_panel
from emolab.inspect.playground import playground
from emolab.inspect.playground_bench import Knob, Knobbed
from emolab.labels.lexicon import family_of
from emolab.scoring import mer2024
from emolab.scoring.grouping import lexicon_grouping

HOSTILE = "<script>alert(1)</script><img src=x onerror=\"alert('x')\"> \"'&"
TRUTH = {"a": ["happy", "sad"], "b": ["joyful"], "c": ["angry"], "z": ["calm"]}
PANEL = make_panel(
    [
        Member("one", {"a": ["glad", "excited"], "b": ["happy"], "c": ["angry"], "x": ["happy"]}),
        Member("two", {"a": ["happy"], "b": ["excited"], "c": ["furious", "mad"], "x": []}),
        Member("three", {"a": [], "b": ["calm"], "c": ["excited"], "x": ["sad"]}),
    ]
)


def vote(panel, k):
    """The first word of each family that at least k members say."""
    fused = {}
    for clip in panel.clip_ids:
        said = {}
        for member in panel.members:
            for word in member.labels.get(clip, ()):
                said.setdefault(family_of(word) or word, {}).setdefault(member.name, word)
        fused[clip] = [next(iter(words.values())) for words in said.values() if len(words) >= k]
    return fused


def refuse(panel, value):
    raise InputError("needs true labels; name a truth file")


def scored(truth):
    def score(fused):
        result = mer2024.score(truth, fused, lexicon_grouping(truth, fused))
        values = result.values()
        p, r = values["accuracy"], values["recall"]
        f = 2 * p * r / (p + r) if p + r else 0.0
        measures = {"precision": p, "recall": r, "f": f, "avg": values["avg"]}
        return {"n": result.n, "labels_per_clip": result.labels_per_clip} | measures

    return score


VOTE = Knobbed("vote", "At least k members.", Knob("at least k =", 1, 3, 1, 2), vote)
UNION = Knobbed("union", "All that any says.", None, lambda panel, _: vote(panel, 1))
REFUSE = Knobbed("refuse", "Needs truth.", Knob("trade-off", 0.05, 0.95, 0.05, 0.5), refuse)
POINTS = [{"name": "best single", "precision": 0.5, "recall": 0.4, "f": 0.44}]


def widget(panel=PANEL, truth=TRUTH, strategies=(VOTE, UNION, REFUSE), **options):
    return playground(panel, truth, scored(truth), strategies, corpus="drawn corpus", points=POINTS, **options)


def setting(members=("one", "two", "three"), strategy="vote", value=2, **more):
    return {"kind": "fuse", "members": list(members), "strategy": strategy, "value": value, "request": "v 1"} | more


def test_a_view_is_told_what_there_is_to_choose():
    opened = json.loads(json.dumps(widget().reply({"kind": "open", "request": "v 0"})))
    assert opened["request"] == "v 0" and opened["clips"] == 3  # z was judged by none, x is not labelled
    assert opened["members"][0] == {"name": "one", "clips": 4}
    assert opened["strategies"][0]["knob"] == {"label": "at least k =", "low": 1, "high": 3, "step": 1, "start": 2}
    assert opened["strategies"][1]["knob"] is None
    assert opened["points"] == [{"name": "best single", "precision": 0.5, "recall": 0.4}]
    for iso in opened["iso"]:
        assert all(abs(2 * p * r / (p + r) - iso["level"]) < 0.01 for p, r in iso["line"])
        assert max(iso["line"][0] + iso["line"][-1]) == pytest.approx(100)


def test_scores_are_those_of_the_fused_labels():
    view = widget()
    one = view.reply(setting(["one"], "union", None))["scores"]
    assert one == pytest.approx(scored(TRUTH)(vote(PANEL.pick(["one"]), 1)))
    three = view.reply(setting(["three", "one", "two"], value=3.0))
    assert (three["kind"], three["request"], three["scores"]["recall"]) == ("fused", "v 1", 0)
    assert view.reply(setting())["scores"]["precision"] == pytest.approx(2 / 3)  # a and c right, b has no two votes


def test_clips_come_with_signs_and_who_said_each_label():
    page = widget().reply(setting(kind="clips", **{"from": 0, "filter": ""}))
    assert (page["from"], page["total"], page["request"]) == (0, 3, "v 1")
    first = {(chip["sign"], chip["label"]): chip["said"] for chip in page["clips"][0]["chips"]}
    assert first == {("✓", "glad"): ["one", "two (as happy)"], ("−", "sad"): []}
    union = widget().reply(setting(["three"], "union", None, kind="clips", **{"from": 0, "filter": ""}))
    assert union["clips"][2]["chips"] == [
        {"sign": "−", "label": "angry", "said": []},
        {"sign": "+", "label": "excited", "said": ["three"]},
    ]


def test_many_clips_go_page_by_page_and_a_filter_finds_ids_and_labels():
    truth = {f"clip_{n:05}": ["happy"] if n % 2 else ["sad"] for n in range(10_000)}
    view = widget(make_panel([Member("one", truth)]), truth)

    def page(start, wanted=""):
        return view.reply(setting(["one"], "union", None, kind="clips", **{"from": start, "filter": wanted}))

    assert len(json.dumps(page(0))) < 5_000 and page(0)["total"] == 10_000
    assert [each["clip_id"] for each in page(40)["clips"]] == [f"clip_{n:05}" for n in range(40, 60)]
    assert page(10**9)["from"] == 9_980 and page(-5)["from"] == 0
    assert page(0, " CLIP_0012")["total"] == 10 and page(0, "happ")["total"] == 5_000
    none = page(60, "nowhere")
    assert (none["from"], none["total"], none["clips"]) == (0, 0, [])


@pytest.mark.parametrize(
    "changed, sentence",
    [
        ({"members": []}, "no member is chosen"),
        ({"members": ["four"]}, "no prediction is called 'four'"),
        ({"strategy": "five"}, "no strategy is called 'five'"),
        ({"value": 4}, "4 does not lie between 1 and 3"),
        ({"value": None}, "None does not lie between"),
        ({"value": float("nan")}, "nan does not lie between"),
        ({"strategy": "refuse", "value": 0.5}, "needs true labels"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(changed, sentence):
    for kind in ("fuse", "clips"):
        answer = widget().reply(setting(kind=kind, **{"from": 0, "filter": ""}) | changed)
        assert answer["kind"] == "problem" and sentence in answer["text"] and answer["request"] == "v 1"


def test_a_setting_is_computed_once():
    calls = []
    counting = Knobbed("count", "", Knob("k", 0, 1, 0.1, 0.3), lambda panel, k: calls.append(k) or vote(panel, 1))
    view = widget(strategies=[counting])
    for members in (["one", "two"], ["two", "one"], ["two", "one", "one"]):
        view.reply(setting(members, "count", 0.30000000000000004))
        view.reply(setting(members, "count", 0.3, kind="clips", **{"from": 0, "filter": ""}))
    assert calls == [0.3]
    view.reply(setting(["one"], "count", 0.3))
    view.reply(setting(["one"], "count", 0.4))
    assert calls == [0.3, 0.3, 0.4]


def test_knobs():
    assert Knob("k", 1, 3, 1, 2).spread(9) == [1, 2, 3] and Knob("k", 1, 15, 1, 2).spread(3) == [1, 8, 15]
    fine = Knob("t", 0.05, 0.95, 0.05, 0.5).spread(9)
    assert len(fine) == 9 and (fine[0], fine[-1]) == (0.05, 0.95)
    assert Knob("t", 0, 1, 0.4, 0).at(1) == 0.8 and Knob("t", 2, 2, 1, 2).spread(9) == [2]
    for bad in ((0, 1, 0, 0), (1, 0, 1, 1), (0, 1, 1, 2)):
        with pytest.raises(InputError, match="start lies between"):
            Knob("k", *bad)


def test_strategies_need_names_of_their_own():
    for strategies in ([], [VOTE, VOTE]):
        with pytest.raises(InputError, match="at least one"):
            widget(strategies=strategies)


def test_headless_has_curves_numbers_and_examples():
    page = widget(headless=True)._repr_mimebundle_()
    assert set(page) == {"text/html", "text/plain"}
    html, text = page["text/html"], page["text/plain"]
    assert "drawn corpus, n = 3 clips, 3 members" in html and "http" not in html
    assert html.count("<tr>") == 1 + 3 + 1 + 1  # head, three votes, the union, one sentence for all that is refused
    assert "needs true labels" in html and "best single" in html and "✓ glad (2)" in html
    assert html.count("<title>vote, at least k = ") == 3
    for shown in (html, text):
        assert "3 of 3 clips, evenly drawn, under vote (at least k = 2)" in shown
    line = next(line for line in text.splitlines() if "at least k = 2" in line)
    assert line.split()[-6:] == ["66.7", "50.0", "57.1", "58.3", "0.67", "3"]


def test_the_widget_carries_the_page_for_those_without_one():
    shown, _ = widget()._repr_mimebundle_()
    assert set(shown) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}


def test_no_clip_in_common_is_a_sentence_in_page_and_view():
    page = widget(truth={"other": ["happy"]}, headless=True)._repr_mimebundle_()
    assert "no clip can be scored" in page["text/html"] and "No examples of vote" in page["text/plain"]
    assert widget(truth={"other": ["happy"]}).reply(setting())["kind"] == "problem"


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}


def test_hostile_text_stays_text():
    panel = make_panel([Member(HOSTILE, {HOSTILE: [HOSTILE, "happy"]}), Member("two", {HOSTILE: [HOSTILE]})])
    strategies = [
        Knobbed(HOSTILE, HOSTILE, Knob(HOSTILE, 1, 2, 1, 1), vote),
        Knobbed("r", HOSTILE, None, _refuse_hostile),
    ]
    truth = {HOSTILE: [HOSTILE + "true", "sad"]}
    points = [{"name": HOSTILE, "precision": 0.5, "recall": 0.5}]
    view = playground(panel, truth, scored(truth), strategies, corpus=HOSTILE, points=points)
    found = Tags(view._repr_mimebundle_()[0]["text/html"])
    assert not {"script", "img"} & found.tags and not any(name.startswith("on") for name in found.attributes)
    assert found.attributes <= {
        "style", "title", "role", "aria-label", "colspan", "width", "height", "fill", "fill-opacity", "viewbox", "d",
        "transform", "points", "stroke", "stroke-width", "stroke-dasharray", "vector-effect", "opacity", "x", "y",
        "font-size", "font-family", "text-anchor", "preserveaspectratio",
    }  # fmt: skip
    page = view.reply(setting([HOSTILE, "two"], HOSTILE, 1, kind="clips", **{"from": 0, "filter": HOSTILE[:20]}))
    assert page["clips"][0]["clip_id"] == HOSTILE  # as it is; the view enters it as text
    assert page["clips"][0]["chips"][-1]["said"] == [HOSTILE]


def _refuse_hostile(panel, value):
    raise InputError(HOSTILE)
