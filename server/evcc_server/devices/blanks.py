"""Answers of nothing but zeros by a meter that has counted before, of its own or built into a charger [DEF-43]."""

from __future__ import annotations

from dataclasses import replace

from evcc_server.devices import plausible
from evcc_server.devices.contract import ChargerValues, MeterValues
from evcclib.model import ChargerStatus


def is_blank(values: MeterValues, answers: plausible.BlankAnswers) -> bool:
    """Whether a meter has answered nothing but zeros though it has counted before."""
    return answers.is_one(
        (values.energy_import_kwh, values.energy_export_kwh),
        (values.power_w, values.powers_w, values.currents_a, values.voltages_v, values.soc_pct),
    )


def without_blanks(values: ChargerValues, answers: plausible.BlankAnswers) -> ChargerValues:
    """``values`` without those of a built-in meter that answers nothing but zeros though it has counted before.

    At rest the zeros but for the counter's are true.
    """
    measured = (values.power_w, values.currents_a, values.voltages_v)
    if not answers.is_one((values.energy_total_kwh,), measured):
        return values
    if values.status is not ChargerStatus.C:
        return replace(values, energy_total_kwh=None)
    return replace(values, energy_total_kwh=None, power_w=None, currents_a=None, voltages_v=None)
