"""Pictures of every page, wide and narrow, light and dark: docs/screenshots.

Over the sample documents, in a home of their own. Needs Debian's chromium and chromium-driver.

    .venv/bin/python tools/screenshots.py
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import opened, scheme, screen  # noqa: E402
from clients import serving  # noqa: E402

TO = ROOT / "docs" / "screenshots"
QUESTION = quote("What did it cost to build the Harbour Line?")
PAGES = {
    "ask": "/",
    "answer": f"/?q={QUESTION}",
    "nothing": "/?q=What+is+the+capital+of+Mongolia%3F",
    "results": "/?q=harbour&order=date",
    "document": "/documents/1",
    "documents": "/documents",
    "indexing": "/jobs",
}
TALLEST = 1400  # pixels: a picture is of what is seen first


def main() -> None:
    """Index the samples, serve them, and photograph each page."""
    TO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        index = [sys.executable, "-m", "khazri", "--home", str(home), "index", "samples"]
        subprocess.run(index, cwd=ROOT, check=True)
        with serving(home) as service, opened() as browser:
            for size in ((1280, 900), (390, 844)):
                screen(browser, size)
                for colours in ("light", "dark"):
                    scheme(browser, colours)
                    for name, path in PAGES.items():
                        browser.get(service + path)
                        height = browser.execute_script(
                            "return document.documentElement.scrollHeight"
                        )
                        clip = {"x": 0, "y": 0, "width": size[0], "scale": 1}
                        clip["height"] = max(size[1], min(height, TALLEST))
                        taken = browser.execute_cdp_cmd(
                            "Page.captureScreenshot",
                            {"format": "png", "clip": clip, "captureBeyondViewport": True},
                        )
                        picture = TO / f"{name}-{size[0]}-{colours}.png"
                        seen = Image.open(BytesIO(base64.b64decode(taken["data"])))
                        seen.convert("RGB").quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    main()
