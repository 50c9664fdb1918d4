"""`python -m lifecycle.diagram [--check]`: write this repository's pictures and blocks anew, or say what is stale.

To be run in the repository's root. Whether a PNG is stale is told by the stamp of the SVG that it was made of, as its
pixels differ between versions of what draws them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lifecycle.diagram.documents import DOCUMENTS, pictures, with_blocks
from lifecycle.diagram.png import stamp_of
from lifecycle.errors import ConfigurationError

__all__ = ["main", "stale"]


def main(arguments: list[str]) -> int:
    """Write or check; return the exit status."""
    root = Path()
    try:
        found = dict(stale(root))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    if "--check" in arguments:
        for path in found:
            print(f"{path} is stale: run `python -m lifecycle.diagram`", file=sys.stderr)
        return 1 if found else 0
    for path, content in found.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        print(path)
    return 0


def stale(root: Path, *, has_png: bool = True) -> Iterator[tuple[Path, bytes]]:
    """Each file that is not as it would be drawn now, and its content as it should be."""
    for name, content in pictures(has_png=has_png).items():
        path = root / "diagrams" / name
        if not path.exists() or not _is_same(path.read_bytes(), content):
            yield path, content
    for name in DOCUMENTS:
        path = root / name
        if path.exists():
            before = path.read_text()
            after = with_blocks(before)
            if after != before:
                yield path, after.encode()


def _is_same(before: bytes, now: bytes) -> bool:
    if now.startswith(b"\x89PNG"):
        return before.startswith(b"\x89PNG") and stamp_of(before) == stamp_of(now)
    return before == now


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
