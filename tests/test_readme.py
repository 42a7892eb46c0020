"""What the README says can be typed: commands parse, settings exist, files and targets are there."""

import re
import shlex
from pathlib import Path

import pytest

from emolab.workbench.cli import make_parser
from emolab.workbench.profiles import known_profiles, load_profile

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands():
    """The command lines of the README's blocks that call emolab, without variables before and comments behind them."""
    for block in BLOCKS:
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:[A-Z_]+=\S+ )*(?:srun )?(?:\S*bin/)?(emolab .+)$", line.strip()):
                yield found[1]


def test_there_is_something_to_check():
    assert len(list(commands())) > 25 and not re.search(r"@[A-Z]+@", README)  # what is left to be filled in


@pytest.mark.parametrize("line", list(dict.fromkeys(commands())))
def test_commands_are_understood(line):
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    args = make_parser()[0].parse_args(words)  # leaves with exit code 2 where it does not understand
    if getattr(args, "set", None) and args.profile in known_profiles():
        own = [each for each in args.set if not each.endswith("=meld")]  # that reader is made in Extending
        load_profile(args.profile, own)


def test_settings_that_the_text_names_exist():
    settings = load_profile("demo")
    for section, name in re.findall(r"`([a-z0-9_]+)\.([a-z0-9_]+)[`=.]", README):
        if hasattr(settings, section) and name not in ("py", "json", "html", "md", "yaml"):
            assert hasattr(getattr(settings, section), name), f"{section}.{name}"


def test_links_lead_to_files_and_headings():
    headings = {
        re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.+)$", README, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith(("http://", "https://")):
            assert (ROOT / target).exists(), target


def test_make_has_the_targets():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`?make ([a-z]+)\b", "\n".join([*BLOCKS, *re.findall(r"`[^`\n]+`", README)]))) <= targets
