"""The sink and its plain output: what they promise whatever becomes of the file."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lifecycle.observe.outputs import PlainOutput, write_to
from lifecycle.observe.sink import Sink


def missing(count: int) -> str:
    return f"{count} missing"


@contextmanager
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A pipe that holds one page: its reading descriptor and its writing stream."""
    reader, writer = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    stream = os.fdopen(writer, "w")
    try:
        yield reader, stream
    finally:
        os.close(reader)
        stream.close()


def read_all(descriptor: int, until: Callable[[bytes], bool]) -> bytes:
    content = b""
    deadline = time.monotonic() + 10
    while not until(content) and time.monotonic() < deadline:
        content += os.read(descriptor, 65536)
    return content


class Broken:
    """An output whose every write fails."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tries = threading.Semaphore(0)
        self.is_broken = True
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.tries.release()
        if self.is_broken:
            raise OSError(self.number, os.strerror(self.number))
        self.lines.append(line)

    def tick(self) -> None: ...

    def close(self) -> None: ...


def test_lines_come_out_in_order() -> None:
    stream = io.StringIO()
    sink = Sink(PlainOutput(stream), missing)
    for number in range(1000):
        sink.put(str(number))
    assert sink.close(10)
    assert stream.getvalue().splitlines() == [str(number) for number in range(1000)]


def test_a_reader_that_never_reads_holds_up_nobody_and_the_oldest_lines_are_missing() -> None:
    """Putting is immediate while the pipe is full, closing waits no longer than asked, and the count is exact."""
    with pipe() as (reader, stream):
        sink = Sink(PlainOutput(stream), missing, lines_max=10)
        began = time.monotonic()
        for number in range(10_000):
            sink.put(f"{number:>2000}")
        assert time.monotonic() - began < 5
        began = time.monotonic()
        assert not sink.close(0.2)
        assert time.monotonic() - began < 2
        content = read_all(reader, lambda content: b"9999\n" in content).decode()
        assert sink.close(10)
    lines = content.splitlines()
    said = [line for line in lines if line.endswith("missing")]
    kept = [line for line in lines if not line.endswith("missing")]
    assert said
    assert sum(int(line.split()[0]) for line in said) + len(kept) == 10_000
    assert [int(line) for line in kept[-10:]] == list(range(9990, 10_000))


def test_a_reader_that_has_gone_is_no_fault_and_the_thread_ends() -> None:
    with pipe() as (reader, stream):
        sink = Sink(PlainOutput(stream), missing)
        os.dup2(os.open(os.devnull, os.O_RDONLY), reader)  # closes the pipe's reading end
        for _ in range(100):
            sink.put("nobody reads this")
        assert sink.close(10)
        sink.put("neither this")


def test_a_full_disk_loses_lines_and_says_so_when_there_is_room_again() -> None:
    output = Broken(errno.ENOSPC)
    sink = Sink(output, missing)
    sink.put("lost")
    assert output.tries.acquire(timeout=10)
    output.is_broken = False
    sink.put("kept")
    assert sink.close(10)
    assert output.lines[-2:] == ["1 missing", "kept"] or output.lines == ["kept", "1 missing"]


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EBADF, errno.EIO])
def test_an_output_that_is_gone_for_good_is_tried_once(number: int) -> None:
    output = Broken(number)
    sink = Sink(output, missing)
    sink.put("one")
    assert output.tries.acquire(timeout=10)
    sink.put("two")
    assert sink.close(10)
    assert not output.tries.acquire(blocking=False)


def test_a_closed_stream_is_gone_for_good() -> None:
    stream = io.StringIO()
    stream.close()
    sink = Sink(PlainOutput(stream), missing)
    sink.put("nobody")
    assert sink.close(10)


def test_a_descriptor_that_somebody_made_non_blocking_gets_every_byte() -> None:
    with pipe() as (reader, stream):
        os.set_blocking(stream.fileno(), False)
        writing = threading.Thread(target=write_to, args=(stream.fileno(), "x" * 100_000 + "end"))
        writing.start()
        content = read_all(reader, lambda content: content.endswith(b"end"))
        writing.join(10)
    assert len(content) == 100_003


def test_what_the_encoding_lacks_is_written_as_an_escape() -> None:
    with pipe() as (reader, stream):
        write_to(stream.fileno(), "é\udcff\n", "ascii")
        assert os.read(reader, 100) == rb"\xe9\udcff" + b"\n"


def test_progress_is_told_while_nothing_else_is() -> None:
    stream = io.StringIO()
    sink = Sink(PlainOutput(stream, lambda: "still at it", every_s=0.0), missing)
    deadline = time.monotonic() + 10
    while "still at it\n" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    sink.close()
    assert stream.getvalue().startswith("still at it\n")
