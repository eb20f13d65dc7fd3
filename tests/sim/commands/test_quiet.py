"""Worlds of broken devices are run without a word of the log, and the log is as before when they are over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from evcc_sim.commands import cli
from evcc_sim.quiet import quiet

SERVER = logging.getLogger("evcc_server.loop.pollers")


def test_nothing_is_logged_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    SERVER.warning("before")
    with quiet():
        SERVER.critical("meanwhile")
        with quiet():
            SERVER.critical("within")
        SERVER.critical("still")
    SERVER.warning("after")
    assert [record.getMessage() for record in caplog.records] == ["before", "after"]


def test_an_error_ends_the_silence_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError), quiet():
        raise ZeroDivisionError
    SERVER.warning("after")
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["kills", "no-such-world"],
        ["kills", "short-visit", "--step", "1000000", "--workers", "1"],
        ["run", "short-visit", "--full-stack", "--set", "hours=0.05"],
    ],
)
def test_a_command_leaves_the_log_as_it_was(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(arguments)
    capsys.readouterr()
    assert SERVER.isEnabledFor(logging.WARNING)
