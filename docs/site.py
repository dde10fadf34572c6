"""What the site has from elsewhere: README and its neighbours, and a page of docstrings for each room of the package."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")
PACKAGE = "autograder"


def on_config(config):
    """The rooms' pages in the navigation."""
    config.nav = [item if "Package" not in item else {"Package": [{room: f"reference/{room}.md"} for room in _rooms()]}
                  for item in config.nav]
    return config


def on_files(files, config):
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for room, modules in _rooms().items():
        files.append(File.generated(config, f"reference/{room}.md", content=f"# {room}\n\n" + "".join(
            f"::: {name}\n\n" for name in modules)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links to files that the site has under another name, or not at all."""

    def there(found: re.Match) -> str:
        text, target, place = found[1], found[2].removeprefix("../").removeprefix("docs/"), found[3] or ""
        target = PAGES.get(target, target)
        return f"[{text}]({target}{place})" if files.get_file_from_path(target) else text

    return LINK.sub(there, markdown)


def _rooms() -> dict[str, list[str]]:
    """Room -> its modules, as Python names them."""
    rooms: dict[str, list[str]] = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        if not path.name.startswith("_"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            rooms.setdefault(".".join(parts[:-1]), []).append(".".join(parts))
    return rooms
