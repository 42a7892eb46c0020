"""An executed notebook as one HTML page that loads nothing: no CDN, scripts, fonts or remote images."""

import html
import re
from pathlib import Path
from typing import Any

from emolab.workbench.files import write_text

# What the page may load, enforced by the reader's browser as well: nothing but what is in the page itself.
POLICY = "default-src 'none'; img-src data:; media-src data:; font-src data:; style-src 'unsafe-inline'"
_DROPPED = ["script", "link", "iframe", "frame", "object", "embed", "applet", "base", "meta", "form"]
_FETCHING = ("src", "srcset", "poster", "data", "background", "href", "xlink:href", "action", "formaction")
_REMOTE_STYLE = re.compile(r"@import[^;]*;?|url\(\s*['\"]?(?!data:|#)[^)]*\)", re.IGNORECASE)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a terminal that shows the file would obey them

STYLE = """
:root { color-scheme: light dark;
        --ink: #1d2228; --page: #fff; --soft: #f4f5f7; --line: #d9dde2; --faint: #5c6570;
        --mark: #a3262a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6e9; --page: #15181c; --soft: #1f242a; --line: #3a4149; --faint: #a3abb5;
          --mark: #ff8c86 }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
pre, code { font: 13px/1.45 ui-monospace, monospace }
pre { overflow-x: auto; margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere }
.input { background: var(--soft); border-left: 3px solid var(--line); padding: .2rem .8rem; margin-top: 1rem }
.output_stderr { opacity: .75 } .output_error { border-left: 3px solid var(--mark); padding-left: .8rem }
.prompt, .anchor-link { display: none }
img, svg, video { max-width: 100%; height: auto }
.output_png, .output_svg { background: #fff }
table { border-collapse: collapse; margin: .8rem 0; display: block; overflow-x: auto }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right }
th:first-child, td:first-child { text-align: left }
.text_cell_render td, .text_cell_render th { text-align: left }
footer { margin-top: 3rem; border-top: 1px solid var(--line); font-size: .85rem; opacity: .8 }
"""


def write_report(notebook: Path, report: Path, run: dict[str, Any]) -> None:
    """Write `report` (HTML) from an executed notebook; `run` (see run.json) tells how it was made."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config({"HTMLExporter": {"embed_images": True}, "TagRemovePreprocessor": {"enabled": False}})
    body, _ = HTMLExporter(config=config, template_name="basic").from_filename(str(notebook))
    changed = run["git"] and run["git"]["changed"]
    facts = [
        run["notebook"],
        f"profile {run['profile']}",
        f"seed {run['settings']['seed']}",
        f"{run['started']}, {run['seconds']:.0f} s",
        *(f"{name} {number}" for name, number in run["versions"].items()),
        *([f"commit {run['git']['commit'][:12]}{' with changes' if changed else ''}"] if run["git"] else []),
    ]
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(run["notebook"])} · {html.escape(run["profile"])}</title>
<style>{STYLE}{_code_style()}</style>
</head>
<body>
{_CONTROL.sub("", without_references(body))}
<footer><p>{html.escape(" · ".join(facts))}</p></footer>
</body>
</html>
"""
    write_text(report, page)


def without_references(body: str) -> str:
    """HTML without scripts, event handlers and what a browser would fetch; links to click stay."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    for element in soup.find_all(_DROPPED):
        element.decompose()
    for element in soup.find_all(True):
        for name, value in list(element.attrs.items()):
            text = " ".join(value) if isinstance(value, list) else str(value)
            link = element.name == "a" and name.lower() == "href"
            if name.lower().startswith("on") or (name.lower() in _FETCHING and not _kept(text.strip(), link)):
                del element.attrs[name]
            elif name.lower() == "style":
                element.attrs[name] = _REMOTE_STYLE.sub("", text)
        if element.name == "style" and element.string:
            element.string = _REMOTE_STYLE.sub("", element.string)
    return str(soup)


def _kept(address: str, link: bool) -> bool:
    if link:
        return address.startswith(("https://", "http://", "#", "mailto:")) or not re.match(r"[^/?#]*:", address)
    return address.startswith(("data:", "#"))


def _code_style() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default", nobackground=True).get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark", nobackground=True).get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
