"""The offline server as any HTTP client sees it: framing, stalls, drops, faults, records."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lifecycle.offline import (
    Drop,
    Fault,
    Malformed,
    ModelRequest,
    ModelServer,
    Reply,
    Scenario,
    ScenarioFailed,
    Stall,
    Text,
    ToolUse,
    Turn,
)
from lifecycle.offline.faults import FAULTS, rate_limited, rate_limited_until
from lifecycle.offline.scenarios import always, endless, text_only

BODY = {
    "model": "claude-sonnet-4-5",
    "stream": True,
    "tools": [{"name": "Bash"}],
    "messages": [{"role": "user", "content": "Go."}],
}


class Client:
    """One keep-alive connection to the server."""

    def __init__(self, server: ModelServer, timeout_s: float = 10) -> None:
        self.http = http.client.HTTPConnection(
            "127.0.0.1", int(server.url.rpartition(":")[2]), timeout=timeout_s
        )

    def post(self, path: str = "/v1/messages?beta=true", **changes: Any) -> http.client.HTTPResponse:
        headers = {"x-api-key": "sk-secret", "authorization": "Bearer sk-secret", "x-app": "test"}
        self.http.request("POST", path, json.dumps(BODY | changes), headers)
        return self.http.getresponse()

    def events(self) -> list[dict[str, Any]]:
        return [
            json.loads(line[6:]) for line in self.post().read().decode().splitlines() if line[:5] == "data:"
        ]


@contextmanager
def serving(scenario: Scenario | Reply, **options: Any) -> Iterator[tuple[ModelServer, Client]]:
    with ModelServer(scenario if callable(scenario) else always(scenario), **options) as server:
        client = Client(server)
        try:
            yield server, client
        finally:
            client.http.close()


def test_a_stream_arrives_as_events_and_the_connection_stays_open() -> None:
    with serving(Turn(Text("Hello"), ToolUse("Bash", {"command": "ls"}))) as (server, client):
        for _ in range(2):
            kinds = [event["type"] for event in client.events()]
            assert kinds[0] == "message_start"
            assert kinds[-1] == "message_stop"
        assert [request.number for request in server.requests] == [1, 2]


def test_who_wants_no_stream_gets_one_message() -> None:
    with serving(Turn(Text("Hello"), ToolUse("Bash", {"command": "ls"}))) as (_, client):
        whole = json.loads(client.post(stream=False).read())
    assert [block["type"] for block in whole["content"]] == ["text", "tool_use"]
    assert whole["stop_reason"] == "tool_use"


def test_every_tool_call_and_message_has_an_id_of_its_own() -> None:
    with serving(Turn(ToolUse("Bash", {}), ToolUse("Bash", {}))) as (_, client):
        answers = [json.loads(client.post(stream=False).read()) for _ in range(2)]
    assert len({answer["id"] for answer in answers}) == 2
    assert len({block["id"] for answer in answers for block in answer["content"]}) == 4


def test_heads_gets_and_token_counts_are_answered_and_are_no_requests_for_a_message() -> None:
    with serving(text_only()) as (server, client):
        for method in ("HEAD", "GET"):
            client.http.request(method, "/api/hello")
            answer = client.http.getresponse()
            answer.read()
            assert answer.status == 200
        assert json.loads(client.post("/v1/messages/count_tokens?beta=true").read())["input_tokens"] > 0
        assert server.requests == ()
        assert [contact.method for contact in server.contacts] == ["HEAD", "GET", "POST"]


def test_requests_are_recorded_with_their_time_and_without_credentials(tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    before = time.monotonic()
    with serving(text_only(), log=log, log_bodies=True) as (server, client):
        client.post().read()
    (request,) = server.requests
    assert before <= request.at <= time.monotonic()
    assert request.headers["x-app"] == "test"
    assert "sk-secret" not in repr(request) + log.read_text()
    line = json.loads(log.read_text())
    assert (line["number"], line["at"], line["messages"], line["body"]) == (1, request.at, 1, BODY)


def test_nonsense_bodies_are_recorded_as_empty() -> None:
    with serving(text_only()) as (server, client):
        client.http.request("POST", "/v1/messages", "[not json")
        assert client.http.getresponse().status == 200
        assert server.requests[0].body == {}


def test_who_speaks_no_http_is_told_so() -> None:
    with (
        serving(text_only()) as (server, _),
        socket.create_connection(("127.0.0.1", port(server)), 10) as raw,
    ):
        raw.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_a_body_announced_is_asked_for() -> None:
    """A client that waits for 100 Continue gets it."""
    with (
        serving(text_only()) as (server, _),
        socket.create_connection(("127.0.0.1", port(server)), 10) as raw,
    ):
        raw.sendall(
            b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 100")
        raw.sendall(b"{}")
        assert raw.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", [name for name, reply in FAULTS.items() if isinstance(reply, Fault)])
def test_a_fault_is_worded_as_the_api_words_it(name: str) -> None:
    fault = FAULTS[name]
    assert isinstance(fault, Fault)
    with serving(fault) as (_, client):
        if fault.in_stream:
            (event,) = client.events()
            assert (event["type"], event["error"]["type"]) == ("error", fault.error_type)
            return
        answer = client.post()
        body = json.loads(answer.read())
    assert answer.status == fault.status
    assert body == {"type": "error", "error": {"type": fault.error_type, "message": fault.message}}


def test_limits_say_when_they_end() -> None:
    with serving(rate_limited(7)) as (_, client):
        assert client.post().getheader("retry-after") == "7"
    with serving(rate_limited_until(1_800_000_000)) as (_, client):
        assert client.post().getheader("anthropic-ratelimit-unified-reset") == "1800000000"


def test_a_drop_before_the_headers_leaves_nothing_to_read() -> None:
    with serving(Drop("before_headers")) as (_, client), pytest.raises(ConnectionError):
        client.post()


def test_a_drop_in_the_middle_leaves_an_unfinished_stream() -> None:
    with serving(Drop("mid_stream")) as (_, client):
        answer = client.post()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()


@pytest.mark.parametrize("kind", ["html", "events", "unfinished"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_malformed_answer_is_a_200_that_is_no_message(kind: Any, stream: bool) -> None:
    with serving(Malformed(kind)) as (_, client):
        answer = client.post(stream=stream)
        text = answer.read().decode()
    assert answer.status == 200
    assert "message_stop" not in text
    with pytest.raises(ValueError, match="Expecting|Unterminated"):
        json.loads(text)


@pytest.mark.parametrize("after", ["nothing", "headers", "text"])
def test_a_stall_begins_where_it_says_and_then_goes_on(after: Any) -> None:
    with serving(Stall(after, seconds=0.3)) as (_, client):
        begun = time.monotonic()
        answer = client.post()
        headers_s = time.monotonic() - begun
        first = answer.readline()
        first_s = time.monotonic() - begun
        whole = first + answer.read()
        assert time.monotonic() - begun >= 0.3
    assert (headers_s >= 0.3) == (after == "nothing")
    assert (first_s >= 0.3) == (after != "text")
    assert b"message_stop" in whole


def test_a_stall_can_ping() -> None:
    with serving(Stall("text", seconds=0.3, ping_every_s=0.05)) as (_, client):
        kinds = [event["type"] for event in client.events()]
    assert kinds.count("ping") >= 3
    assert kinds[-1] == "message_stop"


@pytest.mark.parametrize("after", ["nothing", "headers", "text"])
def test_a_stall_without_end_ends_with_the_server(after: Any) -> None:
    with ModelServer(always(Stall(after))) as server:
        client = Client(server)
        thread = threading.Thread(target=read_to_any_end, args=(client,))
        thread.start()
        until(lambda: len(server.requests) == 1)
    thread.join(timeout=10)
    assert not thread.is_alive()
    client.http.close()


def test_a_client_that_hangs_up_ends_its_stall() -> None:
    with serving(Stall("text")) as (server, client):
        client.post().close()
        client.http.close()
        other = Client(server)
        other.post().close()
        other.http.close()
        until(lambda: not server._connections)


def test_a_paced_turn_has_a_middle() -> None:
    with serving(Turn(Text("one two three four"), pace_s=0.05)) as (_, client):
        begun = time.monotonic()
        client.post().read()
        assert time.monotonic() - begun >= 0.3


def test_a_scenario_that_raises_is_named_to_the_client_and_to_its_author() -> None:
    def broken(request: ModelRequest) -> Reply:
        raise RuntimeError("a bug")

    with (
        pytest.raises(ScenarioFailed, match="request 1: RuntimeError: a bug"),
        serving(broken) as (_, client),
    ):
        answer = client.post()
        assert answer.status == 400
        assert "a bug" in json.loads(answer.read())["error"]["message"]


@pytest.mark.parametrize(
    "reply", [Fault(429, "x", "y", {"retry-after": "1\r\n"}), Turn(ToolUse("Bash", {"command": {1, 2}}))]
)
def test_a_reply_that_cannot_be_sent_is_named_to_its_author(reply: Reply) -> None:
    with (
        pytest.raises(ScenarioFailed, match="request 1: .* cannot be sent"),
        serving(reply) as (_, client),
        pytest.raises((ConnectionError, http.client.HTTPException)),
    ):
        client.post()


def test_a_scenario_that_returns_no_reply_is_a_failure() -> None:
    with pytest.raises(ScenarioFailed, match="is no reply"), serving(lambda request: "hi") as (_, client):  # type: ignore[arg-type]  # that is the mistake
        assert client.post().read()


async def test_a_scenario_may_be_asynchronous_and_requests_can_be_waited_for() -> None:
    async def scenario(request: ModelRequest) -> Reply:
        return Turn(Text(request.last_user_text))

    async with ModelServer(scenario) as server:
        client = Client(server)
        thread = threading.Thread(target=read_to_any_end, args=(client,))
        thread.start()
        assert (await server.wait_for(lambda request: request.is_main, timeout_s=10)).number == 1
        with pytest.raises(TimeoutError):
            await server.wait_for(lambda request: False, timeout_s=0.05)
    thread.join(timeout=10)
    client.http.close()


def test_a_port_in_use_is_an_error_and_leaves_no_thread() -> None:
    threads = threading.active_count()
    with (
        serving(text_only()) as (server, _),
        pytest.raises(OSError, match="in use"),
        ModelServer(text_only(), port=port(server)),
    ):
        pass
    assert threading.active_count() == threads


def test_the_same_port_serves_again_at_once() -> None:
    with serving(text_only()) as (first, client):
        client.post().read()
    with serving(endless(), port=port(first)) as (_, client):
        assert client.events()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_url_and_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "lifecycle.offline", "--scenario", "demo", "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        client.request("POST", "/v1/messages", json.dumps(BODY))
        assert b"script" in client.getresponse().read()
        client.close()
        os.kill(process.pid, number)
        assert process.wait(timeout=10) == 0
    assert json.loads(log.read_text())["is_main"]


def test_the_command_refuses_a_scenario_that_is_none() -> None:
    command = [sys.executable, "-m", "lifecycle.offline", "--scenario", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nonsense" in done.stderr


def port(server: ModelServer) -> int:
    return int(server.url.rpartition(":")[2])


def read_to_any_end(client: Client) -> None:
    try:
        client.post().read()
    except (http.client.HTTPException, ConnectionError):
        return


def until(condition: Any, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)
