"""What sets the generations of clients apart: one row each, over the same settings and the same view [S-5].

Nobody else asks which generation is spoken to; they ask the row for the one thing that they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from types import MappingProxyType

from evcc_server.settings import TABLE, Setting
from evcc_server.state import document
from evcc_server.state.document import Document
from evcc_server.state.encode import Compat, Json
from evcc_server.state.shown import Shown
from evcc_server.state.today_loadpoint import key_of
from evcc_server.state.today_site import ON_CHANGE, PASSING, today
from evcclib.settings import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """How one generation is spoken to.

    ``version`` is what its clients sniff. ``document`` makes the state document; ``on_change`` are keys of it that are published
    when they change, while all others come again with every control cycle, ``passing`` those that not every document has.
    ``keys_of``: where a setting is shown. ``also_on``: further topics of a loadpoint's key. ``off_mqtt``: site keys that have
    no topics. ``has_documents``: MQTT has the JSON documents, too. ``in_parts``: site keys whose members have
    WebSocket frames of their own. ``repeats``: there, values come with every cycle, too. ``notice``: the frame of a message.
    ``has_envelope``: answers are ``{"result": ...}``. ``price``: the member of a slot that holds it; ``in_quarters``: slots are
    quarters of an hour. ``no_limit`` answers the DELETE of a limit, ``vehicle_goal`` the POST of a vehicle's goal;
    ``vehicle_missing`` is the status without such a vehicle.
    ``nested_times``: how answers other than the state tell times that are not set; ``has_session_costs``: what sessions were made
    of is told, too.
    """

    compat: Compat
    version: str
    document: Callable[[Shown], Document]
    on_change: frozenset[str]
    passing: frozenset[str]
    keys_of: Callable[[Setting], tuple[str, ...]]
    also_on: Mapping[str, tuple[str, ...]]
    off_mqtt: frozenset[str] = frozenset({"auth"})
    has_documents: bool = True
    in_parts: frozenset[str] = frozenset()
    repeats: bool = False
    notice: Callable[[str, str], Mapping[str, Json]] = lambda level, text: {level: text}
    has_envelope: bool = True
    price: str = "price"
    in_quarters: bool = False
    no_limit: Callable[[], Json] = dict
    vehicle_goal: Callable[[Json], Json] = lambda value: value
    vehicle_missing: int = 404
    nested_times: Compat = Compat.V0_114
    has_session_costs: bool = False


def _classic(shown: Shown) -> Document:
    return document.document(shown.view, shown.labels, shown.now, shown.limit)


def _today_keys(setting: Setting) -> tuple[str, ...]:
    return setting.document_keys if setting.spec is None else (key_of(setting),)


OF_2023 = Vocabulary(
    compat=Compat.V0_114,
    version="0.114.1",
    document=_classic,
    on_change=document.SETTING_KEYS,
    passing=document.PASSING_KEYS,
    keys_of=attrgetter("document_keys"),
    also_on={row.key: row.state_topics for row in TABLE if row.scope is Scope.LOADPOINT},
)
_TODAY = Vocabulary(
    compat=Compat.TODAY,
    version="0.313.2",
    document=today,
    on_change=ON_CHANGE | frozenset(key for row in TABLE if not row.is_repeated for key in _today_keys(row)),
    passing=PASSING,
    keys_of=_today_keys,
    also_on={},
    off_mqtt=frozenset({"vehicles"}),
    has_documents=False,
    in_parts=frozenset({"forecast"}),
    repeats=True,
    notice=lambda level, text: {"log": {"message": text, "level": level}},
    has_envelope=False,
    price="value",
    in_quarters=True,
    no_limit=lambda: None,
    vehicle_goal=lambda value: {"soc": value},
    vehicle_missing=400,
    has_session_costs=True,
)
VOCABULARIES: Mapping[Compat, Vocabulary] = MappingProxyType(
    {
        Compat.V0_114: OF_2023,
        Compat.V0_127: replace(OF_2023, compat=Compat.V0_127, nested_times=Compat.V0_127),
        Compat.TODAY: _TODAY,
    }
)
