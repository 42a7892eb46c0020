"""The estimate of a run against what is really written, and its ways to be told."""

import json
from dataclasses import replace

import numpy as np
import pytest

from emolab.corpora import read_folder
from emolab.errors import InputError
from emolab.media.write import write_video
from emolab.workbench import cli
from emolab.workbench.places import find_notebooks
from emolab.workbench.preflight import needs as preflight
from emolab.workbench.preflight.late import picture_side, pixel_disk
from emolab.workbench.preflight.machine import planned_machine
from emolab.workbench.preflight.needs import estimated_before, make_estimate
from emolab.workbench.preflight.numbers import Span, shown_size, shown_time
from emolab.workbench.preflight.plan import Plan
from emolab.workbench.preflight.stages import feature_bytes
from emolab.workbench.profiles import load_profile

pytestmark = pytest.mark.usefixtures("bare")

SMALL = ["corpus.described=8", "corpus.labelled=40", "corpus.unlabelled=4", "corpus.stills=3", "corpus.test=2"]


@pytest.fixture
def videos(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", rng.integers(0, 255, (12, 48, 64, 3), np.uint8), 6)
    return tmp_path


def needs(profile, *settings, **how):
    return {need.notebook: need for need in make_estimate(load_profile(profile, settings), **how).needs}


def on_disk(folder):
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*.safetensors"))


def test_every_notebook_of_the_demo_has_an_estimate(tmp_path):
    found = needs("demo", *SMALL, f"outputs={tmp_path}")
    assert list(found) == list(find_notebooks())  # all weights are shipped
    for need in found.values():
        assert 0 < need.seconds.low < need.seconds.best < need.seconds.high and need.disk.best > 0
        assert need.gpu.high == 0 and need.memory.low < 2e9 and not need.notes
    assert json.loads(json.dumps(found["06_discriminative"].as_json()))["disk"]["best"] > 1e6


def test_pixels_on_disk(videos):
    from emolab.discriminative.pixels import cut_pixels, pixel_store

    settings = load_profile("demo", [f"corpus.root={videos}", "corpus.reader=folder"])
    own, clips = settings.discriminative, read_folder([videos])
    store = pixel_store(own, settings.faces, 0, videos / "pixels")
    assert cut_pixels(clips, store, own.video, progress=False) == {}
    found = make_estimate(settings, [], machine=planned_machine("A100"))
    plan = Plan(settings, found.counts, found.sample, found.machine, videos / "none")
    assert pixel_disk(plan, Span.of(len(clips))).best == on_disk(videos / "pixels") > 0
    assert picture_side("shipped:clip") == 112 and picture_side("somebody/clip") == 224
    real = replace(own.frames, parts=8)
    plan.settings.discriminative = replace(own, frames=real, video=replace(own.video, path="somebody/clip"))
    assert pixel_disk(plan, Span.of(105_000)).best == pytest.approx(126e9, rel=0.01)


def test_affectgpts_features_on_disk(videos):
    from emolab.affectgpt.encoding import ClipEncoder, feature_store

    settings = load_profile("demo", [f"corpus.root={videos}", "corpus.reader=folder"])
    parts, clips = settings.affectgpt, read_folder([videos])
    store = feature_store(parts, settings.faces, 0, videos / "features")
    store.compute(clips, ClipEncoder.of(parts), 2, progress=False)
    plan = Plan(settings, *[None] * 4)
    kept = feature_bytes(parts, plan.shape(parts.vision), plan.shape(parts.audio), size=4)
    for clip in clips:  # without sound: those bytes are 5,120 of the sum
        assert store.path(clip).stat().st_size == pytest.approx(kept - 8 * 160 * 4, abs=400)


def test_more_gpus_take_less_time_and_need_as_much_of_each(videos):
    data = [f"corpus.root={videos}", "corpus.reader=folder", "images.frames_per_clip=1000"]
    one = needs("gpu", *data, machine=planned_machine("H100 80GB"))["01_data_generation"]
    many = ["engine.workers=8", "sft.gpus=8"]
    eight = needs("gpu", *data, *many, machine=planned_machine("H100 80GB", 8))["01_data_generation"]
    assert eight.seconds.best < one.seconds.best / 4 and eight.gpu == one.gpu
    shared = needs("gpu", *data, *many, machine=planned_machine("H100 80GB"))["01_data_generation"]
    assert shared.gpu.best == pytest.approx(8 * one.gpu.best)
    weights = 2 * 10.3e9  # of the larger captioner, 16 bit
    assert weights < one.gpu.low < 1.1 * weights
    assert planned_machine("RTX 6000 Ada Generation 48GB").gpus[0].total == 48 * 2**30
    for name in ("Unheard Of", "RTX 6000 Generation", "Radeon 780M Graphics"):
        with pytest.raises(InputError, match="add its memory"):
            planned_machine(name)


def test_what_a_run_took_corrects_the_next_estimate(tmp_path):
    settings = load_profile("demo", [*SMALL, f"outputs={tmp_path}"])
    (need,) = make_estimate(settings, ["07_fusion_analysis"]).needs
    folder = tmp_path / "demo" / "07_fusion_analysis"
    folder.mkdir(parents=True)
    (folder / ".lock").touch()
    told = estimated_before(need, folder)
    assert told["from_empty"] and told["seconds"] == pytest.approx(need.seconds.best, abs=0.1)
    run = {"seconds": 3 * told["seconds"], "started": "2026-01-02T03:04:05+00:00", "preflight": told}
    (folder / "run.json").write_text(json.dumps(run))
    (again,) = make_estimate(settings, ["07_fusion_analysis"]).needs
    assert again.seconds.best == pytest.approx(3 * need.seconds.best, rel=0.02)
    assert again.basis == "measured here on 2026-01-02"
    (other,) = make_estimate(settings, ["07_fusion_analysis"], machine=planned_machine("A100")).needs
    assert other.basis == "estimated"
    assert not estimated_before(need, folder)["from_empty"]  # something to go on with: its time says little
    for other in (
        {"from_empty": False},
        {"clips": 0},
    ):  # of fewer than a tenth of the clips it is the start that counts
        (folder / "run.json").write_text(json.dumps(run | {"preflight": told | other}))
        assert make_estimate(settings, ["07_fusion_analysis"]).needs[0].basis == "estimated"


def test_rates_of_a_gpu_go_before_the_estimate(videos, monkeypatch, tmp_path):
    monkeypatch.setattr(preflight, "project_folder", lambda: tmp_path)
    data = [f"corpus.root={videos}", "corpus.reader=folder"]
    machine = planned_machine("H100 80GB")
    row = {"device": "NVIDIA H100 80GB HBM3", "model": "8B", "what": "zero-shot", "batch": 16}
    rates = tmp_path / "outputs" / "bench" / "gpu_rates.jsonl"
    rates.parent.mkdir(parents=True)
    other = row | {"device": "NVIDIA L4", "clips_per_s": 9.0, "date": "2026-03-03"}
    rows = [row | {"clips_per_s": 0.001, "peak_gb": 30.0, "date": "2026-02-03"}, other]
    rows.append(rows[0] | {"batch": 1, "clips_per_s": 5.0})  # further from the profile's 16
    rows.append(rows[0] | {"model": "2B", "clips_per_s": 7.0})
    rows.append(rows[0] | {"what": "lora", "batch": 4, "clips_per_s": 0.01})
    rates.write_text("torn\n" + "".join(json.dumps(each) + "\n" for each in rows))
    asked, trained, *_ = needs("gpu", *data, machine=machine)["03_internvl_finetune"].work
    assert asked.cost.basis == "measured on 2026-02-03 (bench, batch 16)"
    assert asked.cost.seconds.best == pytest.approx(3 / 0.001, rel=0.1)
    assert trained.cost.basis == "measured on 2026-02-03 (bench, batch 4)"
    assert trained.cost.seconds.best == pytest.approx(3 * trained.n / 0.01 / 0.9, rel=0.2)  # three seeds


def test_requests_of_an_endpoint(tmp_path):
    settings = [*SMALL, f"outputs={tmp_path}", "discriminative.endpoint=https://host/v1"]
    writer = next(w for w in needs("demo", *settings)["06_discriminative"].work if w.requests.best)
    assert writer.requests.best == 52 and 40 * 52 < writer.tokens_in.best < 120 * 52
    assert writer.tokens_in.low < writer.tokens_in.best and writer.tokens_out.best > 0


def test_what_cannot_be_estimated_is_said(videos):
    data = [f"corpus.root={videos}", "corpus.reader=folder", "internvl.path=somebody/model"]
    found = needs("gpu", *data, machine=planned_machine("A100"))
    assert "not known" in found["03_internvl_finetune"].work[0].cost.basis
    assert "six emotions" in found["06_discriminative"].notes[0] and not found["06_discriminative"].work[0].n > 1
    with pytest.raises(InputError, match="--data FOLDER"):
        make_estimate(load_profile("gpu"))


def test_numbers_are_told_as_rough_as_they_are():
    assert shown_time(Span(7_000, 10_800, 20_000)) == "about 3.0 h (1.9 to 5.6 h)"
    assert shown_time(Span.of(42)) == "about 42 s" and shown_size(Span()) == ""
    assert shown_size(Span(1.21e11, 1.26e11, 1.4e11)) == "about 130 GB (120 to 140 GB)"


def test_the_doctor_prints_it(videos, capsys):
    plan = ["doctor", "01", "--profile", "gpu", "--data", str(videos), "--gpu", "H100 80GB"]
    assert cli.main([*plan, "--gpus", "8"]) == 0
    text = capsys.readouterr().out
    assert "--set engine.workers=8" in text and "01_data_generation" in text and "8 × H100 80GB" in text
    assert "3 of 3 probed clips opened" in text and "weights to fetch" in text
    assert cli.main([*plan, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [need["notebook"] for need in told["needs"]] == ["01_data_generation", "weights to fetch"]
    assert cli.main(["doctor", "03", "--profile", "gpu", "--data", str(videos), "--gpu", "L4", "--gpus", "0"]) == 2
    assert cli.main(["doctor", "--gpus", "8"]) == cli.main(["doctor", "--gpus", "0"]) == 2


def test_published_predictions_take_no_model(tmp_path):
    (tmp_path / "truth.csv").write_text("name,openset\na,['happy']\nb,['sad']\n")
    given = [f"predictions={tmp_path}", f"truth={tmp_path / 'truth.csv'}"]
    found = needs("published", *given)
    assert list(found) == ["07_fusion_analysis", "08_inspect_predictions"] and found["07_fusion_analysis"].clips == 2
    assert needs("published")["07_fusion_analysis"].notes
