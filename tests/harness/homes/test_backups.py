"""Backups of the hub's radio that cannot be taken: what fails is told apart."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import pytest

from emulator.devices.comms_hub.hub import CommsHub
from emulator.errors import NonVolatileError
from harness.homes.backups import keep


class _Hub:
    """A hub whose radio fails as it is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @property
    def port(self) -> object:
        raise self._error


def _hub(error: Exception) -> CommsHub:
    return cast(CommsHub, _Hub(error))


async def test_a_radio_that_does_not_answer_leaves_no_backup_which_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await keep(_hub(TimeoutError()), tmp_path, "backup.json", 0)
    assert "backup.json: no backup, the radio does not answer: TimeoutError()" in caplog.text
    assert not list(tmp_path.iterdir())


async def test_a_disk_that_fails_under_the_radio_is_not_its_silence(tmp_path: Path) -> None:
    with pytest.raises(NonVolatileError, match="disk is full"):
        await keep(_hub(NonVolatileError("database or disk is full")), tmp_path, "backup.json", 0)
