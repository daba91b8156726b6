"""The pictures of docs/pictures: of the demo's data, so `make demo` comes before.

Run as `python -m tests.browser.screenshots`, and look at them.
"""

from typing import Any

from tests.browser.chromium import chromium, visit
from tests.warehouse.command import environment, serving
from warehouse import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "pictures"

WALLET = "0x07bc8829d83773dcb261914d3dd75d9e8380656e"
WIDE = {"viewport": {"width": 1180, "height": 900}, "color_scheme": "light"}
NARROW = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}

PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "wallet": (f"/?wallet={WALLET}&year=2025", WIDE),
    "wallet-on-a-phone": (f"/?wallet={WALLET}&year=2025", NARROW),
    "market": ("/market", WIDE),
    "twap": ("/twap?id=1407241", WIDE),
}


def take() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    with serving(environment()) as api, chromium() as browser:
        for name, (path, options) in PICTURES.items():
            with visit(browser, str(api.base_url), **options) as page:
                page.goto(path)
                page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    take()
