"""`lifecycle run` against a Messages API that shares nothing with ours: a plain threaded server and a few events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

FEATURES = [{"description": f"thing {n}", "steps": ["try it"], "passes": False} for n in (1, 2)]
INIT = (
    f"cat > feature_list.json <<'END'\n{json.dumps(FEATURES, indent=1)}\nEND\n"
    "git init -q && git config user.name Tester && git config user.email tester@localhost && "
    "git add -A && git commit -q -m 'The list'"
)
NEXT = """python3 - <<'END'
import json
features = json.load(open("feature_list.json"))
next(feature for feature in features if not feature["passes"])["passes"] = True
json.dump(features, open("feature_list.json", "w"), indent=1)
END
git commit -q -a -m 'One thing more'"""


class Foreigner(BaseHTTPRequestHandler):
    """One tool call a conversation, then a word. Knows only POST to `/v1/messages`."""

    conversations: list[list[dict[str, Any]]]
    projects: list[Path]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.startswith("/v1/messages") or "count_tokens" in self.path:
            self.send_error(404)
            return
        tools = {tool["name"] for tool in asked.get("tools", [])}
        answered = any(message["role"] == "assistant" for message in asked["messages"])
        if "Bash" not in tools or answered:
            self.stream({"type": "text", "text": ""}, {"type": "text_delta", "text": "Done."}, "end_turn")
            return
        self.conversations.append(asked["messages"])
        listed = (self.projects[0] / "feature_list.json").exists()
        command = json.dumps({"command": NEXT if listed else INIT})
        block = {"type": "tool_use", "id": f"toolu_{len(self.conversations)}", "name": "Bash", "input": {}}
        self.stream(block, {"type": "input_json_delta", "partial_json": command}, "tool_use")

    def stream(self, block: dict[str, Any], delta: dict[str, Any], stop_reason: str) -> None:
        message = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1000, "output_tokens": 1},
        }
        events = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 50}},
            {"type": "message_stop"},
        ]
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the tests' stderr."""


@pytest.fixture
def foreigner(tmp_path: Path) -> Iterator[tuple[type[Foreigner], str]]:
    handler = type("Handler", (Foreigner,), {"conversations": [], "projects": [tmp_path / "project"]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_any_messages_api_does(foreigner: tuple[type[Foreigner], str], tmp_path: Path) -> None:
    """INIT once, then CONTINUE until all features pass; `history` and `status` agree with what happened."""
    handler, url = foreigner
    spec = tmp_path / "idea.txt"
    spec.write_text("Two things.\n")
    (tmp_path / "home").mkdir()
    environment = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-not-a-key",
        "LIFECYCLE_CONTINUE_DELAY": "0.1",
    }

    def lifecycle(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "lifecycle.cli", *map(str, arguments)],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    project = tmp_path / "project"
    project.mkdir()
    lifecycle("run", project, "--spec", spec)
    assert len(handler.conversations) == 3
    status = json.loads(lifecycle("status", project, "--json"))
    rows = [json.loads(line) for line in lifecycle("history", project, "--json").splitlines()]
    created = [row["facts"]["session_type"] for row in rows if row["trigger"] == "created"]
    assert created == ["init", "continue", "continue"]
    assert (status["state"], status["stop_reason"]) == ("SHUTDOWN", "complete")
    assert status["iteration"] == 3
    assert status["cost_usd"] > 0
    subjects = subprocess.run(
        ["git", "-C", project, "log", "--format=%s"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [subject for subject in subjects if subject in ("The list", "One thing more")] == [
        "One thing more", "One thing more", "The list",
    ]  # fmt: skip
