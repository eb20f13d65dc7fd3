"""Controls under test: what a run needs of one, and the names by which commands find them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Protocol

from evcc_sim.worlds.scenario import InvalidScenario
from evcclib.config import SiteConfig
from evcclib.decision import Decision
from evcclib.errors import shown
from evcclib.events import Event
from evcclib.laws.law import Law
from evcclib.model import Cause, Now
from evcclib.readings import Readings
from evcclib.requests import Request
from evcclib.view import SiteView


class Control(Protocol):
    """What `simulate` needs of a control; `evcclib.site.Site` is one."""

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision: ...

    def submit(self, request: Request, *, now: Now) -> tuple[Event, ...]: ...

    def view(self, *, now: Now) -> SiteView: ...

    def export(self, *, now: Now) -> dict[str, object]: ...


class ControlFactory(Protocol):
    """Makes a control, new or from an export; ``restored`` is None the first time."""

    def __call__(self, config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control: ...


def classic(config: SiteConfig, restored: dict[str, object] | None, *, now: Now, law: Law | None = None) -> Control:
    """The library's own site, with the law that its configuration names, or with another."""
    from evcclib.site import Site

    if restored is None:
        return Site(config, now=now, law=law)
    return Site.restore(config, restored, now=now, law=law)


NAMED: Mapping[str, str] = {
    name: f"evcc_sim.rivals.{name}:control" for name in ("evcc", "openwb", "smartevse", "openems")
}
"""Controls with a short name: today's other systems, as docs/rivals.md describes them."""


def control_of(name: str) -> ControlFactory:
    """The control with this short name, or called ``module:factory``.

    Raises `InvalidScenario` when there is none, or when it cannot be called as one.
    """
    if not name:
        return classic
    if ":" not in name and name not in NAMED:
        raise InvalidScenario(f"--control {name!r}: expected {', '.join(NAMED)}, or module:factory")
    module_name, _, attribute = NAMED.get(name, name).partition(":")
    try:
        factory: ControlFactory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise InvalidScenario(f"--control {name!r}: expected module:factory ({error})") from error
    try:
        inspect.signature(factory).bind(None, None, now=None)
    except (TypeError, ValueError) as error:
        message = f"--control {name!r}: expected something to call as factory(config, restored, now=now) ({error})"
        raise InvalidScenario(message) from error
    return factory


def name_of(factory: ControlFactory) -> str | None:
    """The name under which `control_of` finds it; "" for the library's own, None if there is no such name."""
    if factory is classic:
        return ""
    name = f"{getattr(factory, '__module__', '')}:{getattr(factory, '__qualname__', '')}"
    name = next((short for short, long in NAMED.items() if long == name), name)
    try:
        return name if control_of(name) is factory else None
    except InvalidScenario:
        return None


def made(control: Control) -> Control:
    """``control``, if a factory that nobody has checked has really made one. Raises `InvalidScenario`."""
    missing = [name for name in METHODS if not callable(getattr(control, name, None))]
    if missing:
        kind = type(control).__name__
        raise InvalidScenario(
            f"the factory has made no control but {kind}, which lacks the methods {', '.join(missing)}"
        )
    return control


METHODS = ("step", "submit", "view", "export")


class BrokenControl(TypeError):
    """A control has answered with something that is no answer."""


def decided(decision: Decision) -> Decision:
    """``decision``, if a control that nobody has checked has really made one. Raises `BrokenControl`."""
    if not isinstance(decision, Decision):
        raise BrokenControl(
            f"step of the control has returned {shown(decision)}, expected an evcclib.decision.Decision"
        )
    for name in ("commands", "battery_commands"):
        found = getattr(decision, name)
        if not isinstance(found, Mapping):
            raise BrokenControl(f"{name} of the control's decision are {shown(found)}, expected a mapping by position")
    return decision
