"""What several tests share: a small drawn corpus, and the real data where it lies beside the checkout."""

import os
from collections import Counter
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """A drawn corpus of 8 described clips (2 test), 3 labelled, 2 unlabelled and 4 stills, rendered once."""
    from emolab.corpora.settings import CorpusSettings
    from emolab.demo.corpus import render

    sizes = CorpusSettings(described=8, labelled=3, unlabelled=2, stills=4, test=2)
    return render(tmp_path_factory.mktemp("corpus"), sizes, workers=1)


def pytest_terminal_summary(terminalreporter):
    """What the fault tests counted (tests/faults/conftest.py), in whatever process they ran."""
    totals: dict[str, Counter] = {}
    seeds = []
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for kind, said in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
            if kind == "fault count" and said[0] == "seeds":
                seeds.append(said[1])
            elif kind == "fault count":
                totals.setdefault(said[0], Counter())[said[1]] += said[2]
    if totals:
        full = os.environ.get("EMOLAB_FAULTS") == "full"
        failed = len(terminalreporter.stats.get("failed", ()))
        terminalreporter.section("faults" + (" (full)" if full else " (short; all of them: make faults)"))
        for kind, named in sorted(totals.items()):
            each = ", ".join(f"{name} {number}" for name, number in sorted(named.items()))
            terminalreporter.write_line(f"{kind}: {sum(named.values())} ({each})")
        told = f"{failed} tests failed, see above" if failed else "rows lost 0, rows repeated 0, files that differ 0"
        terminalreporter.write_line(told)
        terminalreporter.write_line("seeds: " + "; ".join(seeds))
