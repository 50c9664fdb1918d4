"""The cases that every `lifecycle.ports.Verifier` must pass. Subclass, give it two, and pytest runs them.

    class TestMyVerifier(VerifierConformance):
        @pytest.fixture
        def passing(self):
            return MyVerifier("true")

        @pytest.fixture
        def failing(self):
            return MyVerifier("false")
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lifecycle.ports import Verdict, VerdictKind, Verifier
from lifecycle.stopping import LocalStopFlag
from states.vocabulary import SessionId

__all__ = ["VerifierConformance"]

SESSION = SessionId("7f1c3c2e-1a0b-4c0d-8e00-000000000001")
WITHIN_S = 30.0


@pytest.mark.asyncio
class VerifierConformance:
    """Subclass it with the fixtures `passing` and `failing`."""

    @pytest.fixture
    def passing(self) -> Any:
        """One whose check succeeds."""
        raise NotImplementedError("give a verifier whose check succeeds")

    @pytest.fixture
    def failing(self) -> Any:
        """One whose check says no."""
        raise NotImplementedError("give a verifier whose check fails")

    async def test_a_check_that_succeeds_has_passed(self, passing: Verifier) -> None:
        assert (await self._verdict(passing)).kind is VerdictKind.PASSED

    async def test_a_check_that_says_no_has_failed_and_is_no_failure_of_its_own(self, failing: Verifier) -> None:
        verdict = await self._verdict(failing)
        assert verdict.kind is VerdictKind.FAILED
        assert not verdict.is_failure
        assert verdict.detail

    async def test_it_may_be_asked_again(self, passing: Verifier) -> None:
        assert [(await self._verdict(passing)).kind for _ in range(2)] == [VerdictKind.PASSED] * 2

    async def test_a_stop_that_was_asked_for_cuts_it_short(self, passing: Verifier) -> None:
        stop = LocalStopFlag()
        stop.set("a test")
        assert (await self._verdict(passing, stop)).kind is VerdictKind.STOPPED

    async def test_a_cancel_goes_through(self, passing: Verifier) -> None:
        checking = asyncio.ensure_future(passing.verify(SESSION, LocalStopFlag()))
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(checking, WITHIN_S)

    async def _verdict(self, verifier: Verifier, stop: LocalStopFlag | None = None) -> Verdict:
        return await asyncio.wait_for(verifier.verify(SESSION, stop or LocalStopFlag()), WITHIN_S)
