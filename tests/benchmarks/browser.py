"""A Chromium for the benchmarks of what is seen in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import report

CHROMIUM = Path("/usr/bin/chromium")


@contextmanager
def chromium(told: report.Report) -> Iterator[Any]:
    """A browser; None, and a sentence, where there is none."""
    missing = None if CHROMIUM.exists() else f"{CHROMIUM} is not there (Debian: chromium)"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "Playwright is not installed (pip install playwright)"
    if missing:
        told.skip("times of the browser", f"{missing}.")
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
