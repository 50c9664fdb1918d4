"""A file with one JSON line per request, for tests whose server runs in another process.

A line: `number, at, received_at, path, model, stream, is_main, session_id, messages` (their count),
`tool_results` (ids in order), `last_user_text`, and `body` where asked for. No credential gets here: a
`ModelRequest` carries none.
"""

from __future__ import annotations

import json
from pathlib import Path

from lifecycle.offline.request import ModelRequest

__all__ = ["RequestLog"]


class RequestLog:
    """Appends requests to a file, each line flushed before the request is answered."""

    def __init__(self, path: Path, *, bodies: bool = False) -> None:
        self._path = path
        self._bodies = bodies

    def append(self, request: ModelRequest) -> None:
        """Write one line."""
        line = {
            "number": request.number,
            "at": request.at,
            "received_at": request.received_at.isoformat(),
            "path": request.path,
            "model": request.model,
            "stream": request.stream,
            "is_main": request.is_main,
            "session_id": request.session_id,
            "messages": len(request.messages),
            "tool_results": list(request.tool_results),
            "last_user_text": request.last_user_text,
        }
        if self._bodies:
            line["body"] = request.body
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
