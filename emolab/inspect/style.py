"""What all figures share: colours, lines, fonts that can draw Chinese where one is installed, and untrusted text made
harmless."""

from matplotlib import font_manager
from matplotlib import pyplot as plt

_CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei", "SimHei")
_installed = {font.name for font in font_manager.fontManager.ttflist}
plt.style.use("petroff10")  # colours that colour-blind readers tell apart; in grey, markers and line styles do
plt.rcParams.update(
    {
        "font.family": ["DejaVu Sans", *(name for name in _CHINESE if name in _installed)],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,  # the grid
        "grid.color": "0.92",
        "legend.frameon": False,
    }
)


def plain(text: str, most: int = 32) -> str:
    """Untrusted text for matplotlib: no mathematics, no line breaks, of bounded length."""
    text = " ".join(text.split())
    return (text if len(text) <= most else text[: most - 1] + "…").replace("$", r"\$")
