"""One session's world within the sandbox's walls: made, served, and torn down with everything in it.

Owns the order in which it comes to life, and its end: it hangs on a leash of its own, so that it falls when the manager
dies, by whatever means; and when it fell because it was no longer whole, it is made anew. What the walls are is
`confinement`'s, what happens within is `sandbox_inside`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lifecycle.agent.confinement import Confinement
from lifecycle.agent.in_time import in_time
from lifecycle.agent.leash_control import SESSION_MARKER, leashed
from lifecycle.agent.placeholders import Placeholders
from lifecycle.agent.sandbox_proxy import HostProxy
from lifecycle.agent.seals import Seals
from lifecycle.agent.strays import SOCKET_NAME, WALLS_DIR, WALLS_PREFIX
from lifecycle.errors import AgentFailed
from lifecycle.redaction import without_credentials
from states.vocabulary import SessionId

__all__ = ["Walled", "watching"]


class Walled:
    """A context manager: inside, the world is there, and commands that are sent to `socket_path` run in it.

    Args:
        session_id: what its processes are known by, with a suffix: they must not be taken for the agent itself.
        environment: of the manager. Credentials are taken out before anything within can see it.
        refused: told of each host and port that a command asked for and may not reach.

    Raises:
        AgentFailed: on entering: there is no making it.
    """

    def __init__(
        self,
        confinement: Confinement,
        session_id: SessionId,
        environment: Mapping[str, str],
        refused: Callable[[str, int], None] = lambda host, port: None,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=WALLS_PREFIX, dir=WALLS_DIR))
        self.socket_path = self.directory / SOCKET_NAME
        self._confinement = confinement
        self._environment = {**without_credentials(environment), SESSION_MARKER: f"{session_id}{SUFFIX}"}
        self._placeholders = Placeholders(self._confinement)
        self._seals = Seals()
        self._new_proxy = partial(HostProxy, confinement.hosts, environment, refused)
        self._proxy = self._new_proxy()
        self._process: asyncio.subprocess.Process | None = None
        self._listening = socket.socket(socket.AF_UNIX)
        self._control: socket.socket | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def ignored(self) -> tuple[str, ...]:
        """Patterns of what is there only for the walls' sake, and which git must not see."""
        return self._placeholders.ignored

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except (OSError, TimeoutError) as error:
            await self._stop()
            raise AgentFailed(f"the sandbox cannot be made: {error}") from error
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        self._listening.bind(str(self.socket_path))
        self._listening.listen(64)
        await self._stand_up()
        self._keeping = asyncio.ensure_future(self._keep())

    async def _stand_up(self) -> None:
        """Make the walls, as the project is now, with what serves in them."""
        self._seals, watched = await in_time(self._prepared, LOOK_TIMEOUT_S)
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair()
        self._control = ours
        with theirs:
            descriptors = (self._listening.fileno(), theirs.fileno())
            inside = [*_INSIDE, *map(str, descriptors), str(PROXY_PORT), watched]
            self._process = await self._started(inside, descriptors)
        ours.setblocking(False)
        self._proxy = self._new_proxy()
        await self._proxy.start(await self._door(ours))

    def _prepared(self) -> tuple[Seals, str]:
        self._confinement.prepare()
        self._placeholders.put()
        return self._confinement.seals(), json.dumps(self._confinement.watched())

    async def _keep(self) -> None:
        """Make the walls anew when they fell because they were no longer whole. Whoever connects meanwhile waits."""
        try:
            for _ in range(RENEWALS_MAX):
                assert self._process is not None
                await self._process.wait()
                await self._proxy.close()
                if not self._has_told_why():
                    break
                await self._stand_up_again()
        except (OSError, TimeoutError):
            pass  # there is no making them: who connects is told that they are gone
        finally:
            self._listening.close()

    async def _stand_up_again(self) -> None:
        """What made them fall may still be going on: an editor saves a file in several steps.

        Raises:
            OSError, TimeoutError: it does not come to an end.
        """
        pauses = iter(RETRY_PAUSES_S)
        while True:
            try:
                await in_time(self._mend, LOOK_TIMEOUT_S)
                await self._stand_up()
                break
            except (OSError, TimeoutError):
                await self._bury()
                if (pause_s := next(pauses, None)) is None:
                    raise
            await asyncio.sleep(pause_s)

    def _has_told_why(self) -> bool:
        """Whether the process within ended because the walls were not whole, and not for any other reason."""
        assert self._control is not None
        try:
            return bool(self._control.recv(WORDS_MAX_BYTES))
        except OSError:
            return False

    def _mend(self) -> None:
        """What no mount could hold is put right, now that nothing runs within."""
        self._seals.mend(self._confinement.set_aside_dir)

    async def _started(self, inside: Sequence[str], descriptors: Sequence[int]) -> asyncio.subprocess.Process:
        walls = await in_time(partial(self._confinement.walls, inside), LOOK_TIMEOUT_S)
        return await asyncio.create_subprocess_exec(
            *leashed(walls),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self._environment,
            cwd=self._confinement.project_dir,
            pass_fds=descriptors,
        )

    async def _door(self, control: socket.socket) -> socket.socket:
        """The listening socket on the loopback within, as it is handed out when all is ready."""
        process = self._process
        assert process is not None, "it was started"
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(control, readable.set)
        waiting = [asyncio.ensure_future(process.wait()), asyncio.ensure_future(readable.wait())]
        try:
            await asyncio.wait(waiting, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(control)
            for each in waiting:
                each.cancel()
        if not readable.is_set():
            raise OSError(await self._last_words())
        _, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not descriptors:
            raise OSError(await self._last_words())
        return socket.socket(fileno=descriptors[0])

    async def _last_words(self) -> str:
        process = self._process
        assert process is not None
        assert process.stderr is not None, "it is a pipe"
        self._kill()
        with contextlib.suppress(TimeoutError):
            said = await asyncio.wait_for(process.stderr.read(WORDS_MAX_BYTES), STOP_TIMEOUT_S)
            if said.strip():
                return said.decode(errors="replace").strip().splitlines()[-1]
        return "it did not get ready"

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    async def _stop(self) -> None:
        """Let the walls fall, whoever cancels meanwhile. The signal goes out before anything is awaited."""
        if self._keeping is not None:
            self._keeping.cancel()
        self._kill()
        ending, was_cancelled = asyncio.ensure_future(self._ended()), False
        while not ending.done():
            try:
                await asyncio.wait({ending})
            except asyncio.CancelledError:
                was_cancelled = True
        self._listening.close()
        if self._control is not None:
            self._control.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        ending.result()
        if was_cancelled:
            raise asyncio.CancelledError

    async def _ended(self) -> None:
        if self._keeping is not None:
            await asyncio.wait({self._keeping})
        await self._bury()
        with contextlib.suppress(OSError):
            await in_time(self._tidy, LOOK_TIMEOUT_S)
        if self._keeping is not None and not self._keeping.cancelled():
            self._keeping.result()

    def _tidy(self) -> None:
        with contextlib.suppress(OSError):
            self._mend()
        self._placeholders.take_away()

    async def _bury(self) -> None:
        """See the walls gone, and the proxy."""
        self._kill()
        await self._proxy.close()
        if self._process is None:
            return
        waiting = asyncio.ensure_future(self._process.wait())
        await asyncio.wait({waiting}, timeout=STOP_TIMEOUT_S)
        if not waiting.done():
            self._process.kill()  # the leash's lower link sees to the rest
            await waiting


def watching(command: Sequence[str], confinement: Confinement) -> list[str]:
    """The argument vector that runs one command within, where the walls are about it alone, and ends it when they break.

    Raises:
        OSError: something cannot be sealed.
    """
    return [*_INSIDE, json.dumps(confinement.watched()), *command]


PROXY_PORT: Final = 3128
"""On the loopback within, which nobody else uses: what a proxy is commonly expected at."""

SUFFIX: Final = "+sandbox"
START_TIMEOUT_S: Final = 15.0
LOOK_TIMEOUT_S: Final = 20.0
"""For what looks at the project and the homes: a file system that does not answer must not keep a stop waiting."""

STOP_TIMEOUT_S: Final = 3.0
WORDS_MAX_BYTES: Final = 4096
RETRY_PAUSES_S: Final = (0.1, 0.5, 2.0)
RENEWALS_MAX: Final = 100
"""In one session. Who makes the walls fall more often keeps them down, and no command runs any more."""

_INSIDE: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("sandbox_inside.py").absolute()))
