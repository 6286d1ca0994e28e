"""`make screenshot`: the first screen of the default report, into docs/screenshot.png.

The picture holds the title and the primary result that it shows as its description, so that a test
can say when it is out of date.
"""

import io
import sys
from pathlib import Path

from conftest import CHROMIUM, FLAGS
from PIL import Image, PngImagePlugin

TARGET = Path(__file__).parents[1] / "docs" / "screenshot.png"
SIZE = {"width": 1280, "height": 800}
SHOWN = ("header.top h1", "#summary .lead")


def words(tab) -> str:
    """What the picture must say."""
    return " ".join(" ".join(map(tab.inner_text, SHOWN)).split())


def taken(browser, page: Path) -> tuple[bytes, str]:
    """The first screen of a report as PNG, and its words."""
    tab = browser.new_page(viewport=SIZE)
    tab.goto(page.resolve().as_uri())
    picture, said = tab.screenshot(), words(tab)
    tab.close()
    return picture, said


def recorded(path: Path = TARGET) -> str:
    """The words that a picture holds."""
    with Image.open(path) as image:
        return image.text["Description"]


def main(page: Path) -> None:
    """Write the picture, in 128 colours, of a report that was built."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None or not page.is_file():
        sys.exit(f"make screenshot needs Chromium and {page} (make)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        picture, said = taken(browser, page)
        browser.close()
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", said)
    Image.open(io.BytesIO(picture)).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(
        TARGET, pnginfo=about, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(Path("build/mair/index.html"))
