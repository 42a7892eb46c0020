"""What emolab's source never does, whatever a file holds; `ruff` finds most of it, the syntax tree the rest."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "emolab").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
UNPICKLES = {"corpora/object_npz.py", "engine/map_ray.py"}  # pyproject.toml says why each may
MAY_OPEN_MEDIA = "media/probe.py"  # the one place that opens media to read, with what it may be


def ruff(*arguments: str, source: str | None = None) -> str:
    """What ruff's security rules (S and a number) say, with the exceptions that pyproject.toml names."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, input=source, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if re.search(r": S\d{3} ", line))


def test_ruff_finds_no_hole():
    assert ruff("emolab", *map(str, NOTEBOOKS)) == ""


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import pickle; pickle.loads(x)", "S301"),
        ("import pickle; pickle.Unpickler(x).load()", "S301"),
        ("import dill; dill.load(x)", "S301"),
        ("import shelve; shelve.open(x)", "S301"),
        ("import marshal; marshal.load(x)", "S302"),
        ("import torch; torch.load(x)", "S614"),
        ("import torch; torch.load(x, weights_only=False)", "S614"),
        ("import yaml; yaml.load(x, yaml.Loader)", "S506"),
        ("import yaml; yaml.unsafe_load(x)", "S506"),
        ("eval(x)", "S307"),
        ("exec(x)", "S102"),
        ("import os; os.system(x)", "S605"),
        ("import subprocess; subprocess.run(x, shell=True)", "S602"),
        ("import tempfile; tempfile.mktemp()", "S306"),
        ("import requests; requests.get(x, verify=False, timeout=1)", "S501"),
        ("from xml.etree import ElementTree; ElementTree.parse(x)", "S314"),
        ("import tarfile; tarfile.open(x).extractall()", "S202"),
    ],
)
def test_ruff_would_find(line, rule):
    found = ruff("--stdin-filename", "emolab/x.py", "-", source=f"x = None\n{line}\n") + holes(line, "x.py")
    assert rule in found


def test_who_unpickles():
    """The exceptions are used: one that is no longer needed goes."""
    assert {name for name in UNPICKLES if "pickle" in (ROOT / "emolab" / name).read_text()} == UNPICKLES
    exceptions = (ROOT / "pyproject.toml").read_text()
    assert {line.split('"')[1] for line in exceptions.splitlines() if '["S301"]' in line} == {
        f"emolab/{name}" for name in UNPICKLES
    }


def holes(source: str, name: str) -> str:
    """Lines with calls that ruff has no rule for, or that its rules let pass."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
            wrong = {
                "np.load": given.get("allow_pickle") != "False",
                "numpy.load": given.get("allow_pickle") != "False",
                "torch.load": given.get("weights_only") != "True",
                "Image.open": given.get("formats") != "IMAGE_FORMATS",  # else PostScript
                "av.open": name != MAY_OPEN_MEDIA and "'w'" not in map(ast.unparse, node.args),
                "yaml.load": True,
                "yaml.unsafe_load": True,
                "yaml.full_load": True,
                "joblib.load": True,
                "compile": True,
            }
            last = called.rpartition(".")[2]
            trusts = given.get("trust_remote_code", "settings.trust_remote_code")
            wrong[called] = wrong.get(called, False) or last in ("extractall", "unpack_archive", "read_pickle")
            wrong[called] |= not trusts.endswith(".trust_remote_code")  # what the profile says, never a constant
            if wrong[called]:
                rule = {"torch.load": "S614", "yaml.load": "S506", "yaml.unsafe_load": "S506"}.get(called, "")
                found.append(f"{name}:{node.lineno} {called} {rule}")
    return "\n".join(found)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_has_a_hole(path):
    assert holes(path.read_text(encoding="utf-8"), path.relative_to(ROOT / "emolab").as_posix()) == ""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_notebook_has_a_hole(path):
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert holes("\n".join(cells), path.name) == ""


@pytest.mark.parametrize(
    "line",
    [
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "torch.load(x)",
        "joblib.load(x)",
        "pandas.read_pickle(x)",
        "Image.open(x)",
        "av.open(x)",
        "yaml.full_load(x)",
        "zipfile.ZipFile(x).extractall()",
        "shutil.unpack_archive(x)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
        "compile(x, 'x', 'exec')",
    ],
)
def test_a_hole_would_be_found(line):
    assert holes(line, "any.py")


def test_a_spreadsheets_xml_is_read_by_defusedxml():
    import openpyxl

    assert openpyxl.DEFUSEDXML
