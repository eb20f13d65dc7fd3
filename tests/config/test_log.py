"""The log can't be flooded: so many lines of one kind a minute, and it says what it leaves out."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from evcc_server import log
from evcc_server.log import KindLimit, RedactingFormatter


@pytest.fixture(autouse=True)
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LINES_MAX", 3)
    monkeypatch.setattr(log, "TRACES_MAX", 1)
    monkeypatch.setattr(log, "KINDS_MAX", 5)


class Log:
    """What is let through, as it is written."""

    def __init__(self) -> None:
        self.limit, self.formatter = KindLimit(), RedactingFormatter()

    def lines(
        self, *said: tuple[float, int, str, object], error: Exception | None = None, place: str = "test"
    ) -> list[str]:
        written = []
        for at_s, level, text, value in said:
            trace = None if error is None else (type(error), error, None)
            record = logging.LogRecord(f"evcc_server.{place}", level, "", 0, text, (value,), trace)
            record.created = at_s
            if self.limit.filter(record):
                written.append(self.formatter.format(record).partition(f"{place}: ")[2])
        return written


def test_a_flood_is_cut_and_said_to_be() -> None:
    told = Log()
    assert told.lines(*((n / 100, logging.WARNING, "no room for %s", n) for n in range(1000))) == [
        "no room for 0",
        "no room for 1",
        "no room for 2 (more lines like this are left out for a minute)",
    ]
    assert told.lines(*((60.0, logging.WARNING, "no room for %s", n) for n in range(2))) == [
        "no room for 0 (997 more lines like this were left out)",
        "no room for 1",
    ]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """As it was afterwards."""
    root = logging.getLogger()
    kept = [(logger, logger.level) for logger in (root, logging.getLogger("evcc_server"))]
    handlers = root.handlers[:]
    yield root
    root.handlers[:] = handlers
    for logger, level in kept:
        logger.setLevel(level)


def test_what_is_written_is_limited(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up_logging("info", {})
    for number in range(9):
        logging.getLogger("evcc_server.test").warning("no room for %s", number)
    assert [line.partition("test: ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "no room for 0",
        "no room for 1",
        "no room for 2 (more lines like this are left out for a minute)",
    ]


def test_other_kinds_and_what_was_asked_for_are_not_affected() -> None:
    told = Log()
    told.lines(*((0.0, logging.WARNING, "a %s", n) for n in range(9)))
    assert told.lines((0.0, logging.WARNING, "b %s", 1), (0.0, logging.ERROR, "a %s", 1)) == ["b 1", "a 1"]
    assert told.lines((0.0, logging.WARNING, "a %s", 1), place="elsewhere") == ["a 1"]
    assert len(told.lines(*((0.0, logging.DEBUG, "c %s", n) for n in range(9)))) == 9


def test_of_tracebacks_there_are_fewer() -> None:
    told = Log()
    (line,) = told.lines(*((0.0, logging.ERROR, "failed: %s", n) for n in range(9)), error=ValueError("why"))
    assert line == "failed: 0 (more lines like this are left out for a minute)\nValueError: why"


def test_the_clock_may_be_set_back_and_kinds_are_forgotten() -> None:
    told = Log()
    told.lines(*((1000.0, logging.WARNING, "a %s", n) for n in range(9)))
    assert told.lines((0.0, logging.WARNING, "a %s", 1))
    told.lines(*((0.0, logging.WARNING, f"{n} %s", n) for n in range(100)))
    assert len(told.limit._minutes) == 5
