"""What is configured, for documents that name it: devices, vehicles, circuits, who may write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from evcclib.config import CircuitConfig, LoadpointConfig, VehicleConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Nothing of it changes while the server runs; devices are named as in the file, in the order of readings."""

    grid: str = ""
    pv: tuple[str, ...] = ()
    batteries: tuple[str, ...] = ()
    vehicles: tuple[VehicleConfig, ...] = ()
    loadpoints: tuple[LoadpointConfig, ...] = ()
    circuits: tuple[CircuitConfig, ...] = ()
    circuit_titles: Mapping[str, str] = field(default_factory=dict)
    interval: timedelta = timedelta(seconds=10)
    is_open: bool = False  # everybody may write


NO_FACTS = Facts()
