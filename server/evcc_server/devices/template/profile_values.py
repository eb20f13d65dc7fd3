"""What a profile says of its port and formulas, for meters and chargers alike."""

from __future__ import annotations

from collections.abc import Sequence

from evcc_server.devices import plausible
from evcc_server.devices.template.polled import Polled
from evcc_server.modbus.link import Link, Port
from evcc_server.profiles.profile import Profile, Values
from evcclib.model import PhaseTriple


def port_for(profile: Profile, link: Link, unit: int | None = None, *, timeout_s: float | None = None) -> Port:
    """The port to a device of this profile, with the manners the profile asks for; ``unit`` None: its usual id."""
    connection = profile.connection
    link.connect_delay_s = max(link.connect_delay_s, connection.connect_delay_ms / 1000)
    return Port(
        link,
        connection.unit_id if unit is None else unit,
        timeout_s=connection.timeout_ms / 1000 if timeout_s is None else timeout_s,
        min_delay_s=connection.min_delay_ms / 1000,
        doubles=connection.doubles,
    )


def formulas_of(values: Values) -> list[str | None]:
    """Every formula of ``values``."""
    triples = (values.powers, values.currents, values.voltages)
    single = (
        values.power,
        values.energy_import,
        values.energy_export,
        values.energy_total,
        values.energy_session,
        values.charge_duration,
        values.soc,
        values.current_offered,
    )
    return [*single, *(formula for triple in triples if triple is not None for formula in triple)]


def read_triple(now: Polled, formulas: Sequence[str] | None, bounds: tuple[float, float]) -> PhaseTriple | None:
    """Three formulas as one value for each phase; L2 or L3 marked with ``?`` may be missing and is then 0, if L1 is there."""
    if formulas is None:
        return None
    l1, l2, l3 = now.source(formulas[0]), now.source(formulas[1]), now.source(formulas[2])
    if l1 is None:
        return plausible.triple((l1, l2, l3), bounds)
    if l2 is None and formulas[1].rstrip().endswith("?"):
        l2 = 0.0
    if l3 is None and formulas[2].rstrip().endswith("?"):
        l3 = 0.0
    return plausible.triple((l1, l2, l3), bounds)
