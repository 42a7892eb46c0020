"""`emolab report`: the runs of a profile as one page that loads nothing."""

import json
import re

import pytest
from matplotlib import pyplot as plt

from emolab import workbench
from emolab.errors import InputError
from emolab.inspect.style import plain
from emolab.workbench.cli import main
from emolab.workbench.profile_report import write_profile_report
from emolab.workbench.report_sections import SECTIONS

HOSTILE = "<script>alert(1)</script>"


def ran(outputs, notebook, tables, figures=(), **settings):
    """A run of a notebook, as the notebook itself would make it."""
    run = workbench.start(notebook, settings={"outputs": str(outputs), **settings})
    for name, rows in tables.items():
        run.table(name, rows, note=f"Numbers of drawn clips {HOSTILE}")
    for name in figures:
        figure, axis = plt.subplots()
        axis.set_title(plain(HOSTILE))
        run.figure(figure, name, alt=f"{name} {HOSTILE}")
    run.finish()


def row(name, **values):
    return {"name": name, "n": 66, "avg": 0.5, "interval": {"avg": [0.4, 0.6]}, **values}


@pytest.fixture
def outputs(tmp_path):
    beside = {"paper_avg": 0.4394, "paper_accuracy": None, "paper_recall": 0.5618}
    ran(
        tmp_path, "03_internvl_finetune",
        {"table_2": [row("zero-shot", accuracy=0.25, **beside)], "differences": [row(HOSTILE, p=0.04)]}, ["table_2"],
    )  # fmt: skip
    ran(tmp_path, "07_fusion_analysis", {"table_2": [row("zero-shot + all", paper_avg=0.6167)]}, ["plane"])
    return tmp_path


def test_the_page_joins_what_has_run_and_names_what_has_not(outputs):
    page = write_profile_report("demo", str(outputs)).read_text(encoding="utf-8")
    assert "0.500 <small>[0.400, 0.600]</small>" in page and "zero-shot + all" in page
    assert re.search(r'class="paper">0.439<', page) and re.search(r'class="paper">0.617<', page)
    assert f"emolab run 04 --profile=demo --set=outputs={outputs}" in page
    assert "Not run yet, and left out: 05_face_crop_ablation" in page
    assert "Drawn clips." in page and "Table 3" not in page  # no heading above nothing
    assert page.count("data:image/svg+xml;base64,") == 3  # the pipeline and two figures


def test_the_page_loads_nothing_and_shows_hostile_text_as_text(outputs):
    page = write_profile_report("demo", str(outputs)).read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page and "default-src &#39;none&#39;" in page
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", page)


def test_a_later_run_with_other_settings_is_pointed_out(outputs):
    assert "runs differ" not in write_profile_report("demo", str(outputs)).read_text(encoding="utf-8")
    ran(outputs, "07_fusion_analysis", {"table_2": [row("zero-shot + all")]}, seed=7)
    page = write_profile_report("demo", str(outputs)).read_text(encoding="utf-8")
    assert "runs differ" in page and "seed: 0 (03); 7 (07)" in page


def test_a_run_that_did_not_end_or_is_damaged_counts_as_not_run(outputs):
    (outputs / "demo" / "07_fusion_analysis" / "run.json").unlink()
    (outputs / "demo" / "03_internvl_finetune" / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="no notebook of profile demo has run to its end; first: emolab run all"):
        write_profile_report("demo", str(outputs))


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("metrics.json", {"table": [{"table": "table_2", "name": "x"}], "notes": None}),
        (
            "metrics.json",
            {"table": [{"table": "table_2", "name": "x", "avg": 1, "interval": {"avg": [1]}}], "notes": {}},
        ),
        ("metrics.json", {"table": [], "notes": {}, "figures": None}),
        ("run.json", {}),
        ("run.json", {"settings": [], "source": "x", "inputs": "text", "seconds": "x"}),
    ],
)
def test_files_that_no_run_wrote_count_as_not_run(outputs, file, change):
    path = outputs / "demo" / "03_internvl_finetune" / file
    path.write_text(json.dumps(change))
    page = write_profile_report("demo", str(outputs)).read_text(encoding="utf-8")
    assert "emolab run 03 --profile=demo" in page and "zero-shot + all" in page


def test_published_predictions_ask_for_no_notebook_with_models(outputs):
    for name in ("03_internvl_finetune", "07_fusion_analysis"):
        (outputs / "demo" / name / "run.json").unlink()
    ran(outputs, "07_fusion_analysis", {"table_2": [row("all")]}, **{"fusion.predictions": str(outputs)})
    page = write_profile_report("demo", str(outputs)).read_text(encoding="utf-8")
    assert "emolab run 08" in page and "emolab run 01" not in page and "Drawn clips." not in page


def test_a_page_that_cannot_be_written_is_one_sentence(outputs, capsys):
    assert main(["report", "--outputs", str(outputs), "--out", str(outputs)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_command(outputs, capsys, tmp_path):
    assert main(["report", "--outputs", str(outputs), "--out", str(tmp_path / "there.html")]) == 0
    assert "there.html" in capsys.readouterr().out and (tmp_path / "there.html").is_file()
    assert main(["report", "--outputs", str(tmp_path / "nothing")]) == 2
    assert "has run to its end" in capsys.readouterr().err


def test_every_part_is_one_that_its_notebook_makes():
    from emolab.workbench.places import CHECKOUT

    for part in (part for section in SECTIONS for part in section.parts):
        for notebook, name in ((part.notebook, part.name), *([part.more] if part.more else [])):
            cells = json.loads((CHECKOUT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
            code = "".join("".join(cell["source"]) for cell in cells)
            call = "run.figure" if part.figure else "run.table"
            made = f'"{name}"' in code or re.search(rf'f"\{{\w+\}}_{name.rpartition("_")[2]}"', code)
            assert call in code and made, f"{notebook} makes no {name}"
