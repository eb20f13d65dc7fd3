"""Sentences for reasons and warnings, in German and English: the only place where a decision becomes prose."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime

from evcc_server.state.awaited import Awaited
from evcclib.events import Warned, WarningCode
from evcclib.reason_history import Spell
from evcclib.reasons import MEAN_POWER, UNBALANCE, BatteryCode, Reason, ReasonCode

LANGUAGES = ("en", "de")

_REASONS: Mapping[ReasonCode, tuple[str, str]] = {
    ReasonCode.STARTING: ("Starting: nothing is known yet.", "Start: noch ist nichts bekannt."),
    ReasonCode.NOT_CONNECTED: ("No vehicle is connected.", "Kein Fahrzeug angeschlossen."),
    ReasonCode.CHARGER_SILENT: ("The charger does not answer.", "Die Wallbox antwortet nicht."),
    ReasonCode.CHARGER_FAULT: ("The charger reports a fault.", "Die Wallbox meldet eine Störung."),
    ReasonCode.COMMAND_PENDING: (
        "Waiting for the charger to confirm the last command.",
        "Warten, bis die Wallbox den letzten Befehl bestätigt.",
    ),
    ReasonCode.COMMAND_FAILED: (
        "The charger refused the last command; it will be tried again.",
        "Die Wallbox hat den letzten Befehl abgelehnt; er wird wiederholt.",
    ),
    ReasonCode.MODE_OFF: ("Charging is switched off.", "Laden ist ausgeschaltet."),
    ReasonCode.MODE_NOW: ("Charging as fast as possible.", "Laden so schnell wie möglich."),
    ReasonCode.REMOTE_HARD: (
        "An external energy manager has stopped charging.",
        "Ein externes Energiemanagement hat das Laden gesperrt.",
    ),
    ReasonCode.REMOTE_SOFT: (
        "An external energy manager has stopped charging from surplus.",
        "Ein externes Energiemanagement hat das Laden mit Überschuss gesperrt.",
    ),
    ReasonCode.PHASE_SWITCH: ("The number of phases is being changed.", "Die Zahl der Phasen wird umgeschaltet."),
    ReasonCode.PHASE_LOCK: (
        "Waiting after a change of phases.",
        "Wartezeit nach dem Umschalten der Phasen.",
    ),
    ReasonCode.MIN_SOC: (
        "Charging at full power until the minimum charge is reached.",
        "Laden mit voller Leistung, bis der Mindestladestand erreicht ist.",
    ),
    ReasonCode.PLAN_ACTIVE: ("Charging by plan.", "Laden nach Plan."),
    ReasonCode.PLAN_WAITING: (
        "Waiting for the planned charging time.",
        "Warten auf die geplante Ladezeit.",
    ),
    ReasonCode.SMART_COST: ("Charging because energy is cheap.", "Laden, weil Strom gerade günstig ist."),
    ReasonCode.FEED_IN_PRIORITY: (
        "Waiting while selling the sun pays well.",
        "Warten, solange die Einspeisung gut bezahlt wird.",
    ),
    ReasonCode.TARGET_SOC_REACHED: ("The target charge is reached.", "Der Zielladestand ist erreicht."),
    ReasonCode.TARGET_ENERGY_REACHED: ("The target energy is reached.", "Die Zielenergie ist erreicht."),
    ReasonCode.CLIMATE: (
        "Supplying the vehicle's air conditioning.",
        "Das Fahrzeug klimatisiert und wird dafür versorgt.",
    ),
    ReasonCode.SURPLUS: ("Charging follows the surplus.", "Das Laden folgt dem Überschuss."),
    ReasonCode.SURPLUS_WAIT_ENABLE: (
        "There is enough surplus; charging starts if it lasts.",
        "Der Überschuss reicht; das Laden beginnt, wenn er anhält.",
    ),
    ReasonCode.SURPLUS_WAIT_DISABLE: (
        "There is too little surplus; charging stops if that lasts.",
        "Der Überschuss reicht nicht; das Laden endet, wenn das anhält.",
    ),
    ReasonCode.SURPLUS_MISSING: (
        "There is not enough surplus.",
        "Der Überschuss reicht nicht.",
    ),
    ReasonCode.MINIMUM_POWER: (
        "Charging with the minimum power.",
        "Laden mit der Mindestleistung.",
    ),
    ReasonCode.BATTERY_BUFFER: (
        "The home battery keeps charging alive.",
        "Der Hausspeicher überbrückt das Laden.",
    ),
    ReasonCode.BATTERY_PRIORITY: (
        "The home battery is charged first.",
        "Der Hausspeicher wird zuerst geladen.",
    ),
    ReasonCode.GUARD: (
        "The charger's contactor rests before it switches again.",
        "Das Schütz der Wallbox ruht, bevor es wieder schaltet.",
    ),
    ReasonCode.GRID_STALE: (
        "The grid meter is silent: charging with the minimum current.",
        "Der Netzzähler schweigt: Laden mit dem Mindeststrom.",
    ),
    ReasonCode.GRID_LOST: (
        "The grid meter stays silent: charging is paused.",
        "Der Netzzähler schweigt weiter: das Laden pausiert.",
    ),
    ReasonCode.VEHICLE_FULL: (
        "Charging is offered, but the vehicle does not draw.",
        "Laden ist freigegeben, aber das Fahrzeug nimmt nichts ab.",
    ),
    ReasonCode.LIMITED: ("A limit holds the current down.", "Eine Grenze hält den Strom niedrig."),
    ReasonCode.READ_BACK_DISAGREES: (
        "The charger does not do what it was told; it will be told again.",
        "Die Wallbox tut nicht, was ihr befohlen wurde; der Befehl wird wiederholt.",
    ),
}

_OF_BATTERIES: Mapping[BatteryCode, tuple[str, str]] = {
    BatteryCode.FREE: (
        "The home battery does what it would do by itself.",
        "Der Hausspeicher tut, was er von selbst täte.",
    ),
    BatteryCode.HELD_FAST: (
        "The home battery is held while a vehicle charges fast.",
        "Der Hausspeicher wird gehalten, während ein Fahrzeug schnell lädt.",
    ),
    BatteryCode.HELD_PLAN: (
        "The home battery is held while a vehicle charges by plan.",
        "Der Hausspeicher wird gehalten, während ein Fahrzeug nach Plan lädt.",
    ),
    BatteryCode.CHARGES: (
        "The home battery charges from the grid because energy is cheap.",
        "Der Hausspeicher lädt aus dem Netz, weil Strom gerade günstig ist.",
    ),
    BatteryCode.RESTS: (
        "The home battery waits before it changes its mode again.",
        "Der Hausspeicher wartet, bevor er seine Betriebsart wieder wechselt.",
    ),
    BatteryCode.FREEING: (
        "The home battery is brought back to its own control.",
        "Der Hausspeicher wird wieder sich selbst überlassen.",
    ),
    BatteryCode.LIMITED: (
        "Energy is cheap, but a limit leaves the home battery no room to charge from the grid.",
        "Strom ist günstig, aber eine Grenze lässt dem Hausspeicher keinen Raum, aus dem Netz zu laden.",
    ),
    BatteryCode.EXTERNAL: (
        "The home battery does what another energy manager says.",
        "Der Hausspeicher tut, was ein anderes Energiemanagement sagt.",
    ),
    BatteryCode.FAILED: (
        "The home battery has not taken the last command; it will be said again.",
        "Der Hausspeicher hat den letzten Befehl nicht angenommen; er wird wiederholt.",
    ),
}

_WARNINGS: Mapping[WarningCode, tuple[str, str]] = {
    WarningCode.CHARGER_SILENT: ("the charger does not answer", "die Wallbox antwortet nicht"),
    WarningCode.CHARGER_FAULT: ("the charger reports a fault", "die Wallbox meldet eine Störung"),
    WarningCode.CHARGER_OUT_OF_SYNC: (
        "read-back disagrees: the charger reports another state than it was told to be in",
        "Rückmeldung widerspricht: die Wallbox meldet einen anderen Zustand, als ihr befohlen wurde",
    ),
    WarningCode.COMMAND_FAILED: ("a command to the charger failed", "ein Befehl an die Wallbox ist gescheitert"),
    WarningCode.OUTCOME_MISSING: (
        "nobody knows what became of a command; it counts as unknown",
        "von einem Befehl weiß niemand, was aus ihm wurde; er gilt als ungewiss",
    ),
    WarningCode.GRID_STALE: ("the grid meter is silent", "der Netzzähler schweigt"),
    WarningCode.GRID_LOST: (
        "the grid meter stays silent, surplus charging is paused",
        "der Netzzähler schweigt weiter, das Überschussladen pausiert",
    ),
    WarningCode.METER_STALE: ("a meter is silent", "ein Zähler schweigt"),
    WarningCode.NEGATIVE_CHARGE_POWER: (
        "the charge meter reports negative power",
        "der Ladezähler meldet negative Leistung",
    ),
    WarningCode.PV_SIGN: (
        "a pv meter reports consumption, its sign may be wrong",
        "ein PV-Zähler meldet Verbrauch, vielleicht stimmt sein Vorzeichen nicht",
    ),
    WarningCode.PLAN_UNREACHABLE: (
        "the charging goal cannot be reached in time",
        "das Ladeziel ist in der Zeit nicht zu erreichen",
    ),
    WarningCode.PRIORITY_ABOVE_BUFFER: (
        "the battery's priority SoC is above its buffer SoC",
        "der Vorrang-Ladestand des Speichers liegt über dem Puffer-Ladestand",
    ),
    WarningCode.THRESHOLDS_CROSSED: (
        "the enable threshold is above the disable threshold",
        "die Einschaltschwelle liegt über der Ausschaltschwelle",
    ),
    WarningCode.LIMIT_EXCEEDED: ("a limit is exceeded", "eine Grenze ist überschritten"),
    WarningCode.VEHICLE_ASLEEP: (
        "the vehicle does not draw though it may",
        "das Fahrzeug nimmt nichts ab, obwohl es dürfte",
    ),
    WarningCode.BATTERY_FAILED: (
        "a command to the home battery failed",
        "ein Befehl an den Hausspeicher ist gescheitert",
    ),
    WarningCode.RECOVERED: ("back to normal", "wieder in Ordnung"),
}

_AWAITED: Mapping[Awaited, tuple[str, str]] = {
    Awaited.START: ("Charging starts if the surplus lasts.", "Das Laden beginnt, wenn der Überschuss anhält."),
    Awaited.STOP: (
        "Charging stops if the surplus stays too small.",
        "Das Laden endet, wenn der Überschuss zu klein bleibt.",
    ),
    Awaited.ONE_PHASE: (
        "The station changes to one phase if the surplus stays small.",
        "Die Wallbox wechselt auf eine Phase, wenn der Überschuss klein bleibt.",
    ),
    Awaited.THREE_PHASES: (
        "The station changes to three phases if the surplus stays large.",
        "Die Wallbox wechselt auf drei Phasen, wenn der Überschuss groß bleibt.",
    ),
    Awaited.PHASES: ("Waiting for the change of phases.", "Warten auf das Umschalten der Phasen."),
    Awaited.CONTACTOR: ("Waiting until the contactor may switch.", "Warten, bis das Schütz schalten darf."),
    Awaited.CHARGER: ("Waiting for the charger.", "Warten auf die Wallbox."),
    Awaited.ARRIVAL: ("Waiting for a vehicle.", "Warten auf ein Fahrzeug."),
    Awaited.VEHICLE: ("The vehicle decides what comes next.", "Das Fahrzeug entscheidet, wie es weitergeht."),
    Awaited.OWNER: ("Waiting for another mode or goal.", "Warten auf einen anderen Modus oder ein anderes Ziel."),
    Awaited.GOAL: ("Waiting until the goal is reached.", "Warten, bis das Ziel erreicht ist."),
    Awaited.PLAN_START: ("The plan begins next.", "Als Nächstes beginnt der Plan."),
    Awaited.PLAN_END: ("The planned charging time ends next.", "Als Nächstes endet die geplante Ladezeit."),
    Awaited.PRICE: ("Waiting for another price.", "Warten auf einen anderen Preis."),
    Awaited.SURPLUS: ("It changes with the surplus.", "Es ändert sich mit dem Überschuss."),
    Awaited.MORE_SURPLUS: ("Waiting for more surplus.", "Warten auf mehr Überschuss."),
    Awaited.BATTERY: ("Waiting for the home battery.", "Warten auf den Hausspeicher."),
    Awaited.LIMIT: ("Waiting until the limit leaves more.", "Warten, bis die Grenze mehr zulässt."),
    Awaited.GRID_METER: ("Waiting for the grid meter.", "Warten auf den Netzzähler."),
    Awaited.ENERGY_MANAGER: ("Waiting for the external energy manager.", "Warten auf das externe Energiemanagement."),
    Awaited.READINGS: ("Waiting for the first readings.", "Warten auf die ersten Messwerte."),
}

_IN_TURN = (" In turn with: {other} ({count} times in all)", " Im Wechsel mit: {other} (zusammen {count}-mal)")
_LIMITED_BY = (" (limited by {limit})", " (begrenzt durch {limit})")
_OF_LIMITS: Mapping[str, tuple[str, str]] = {
    UNBALANCE: (UNBALANCE, " (Schieflast)"),
    MEAN_POWER: (MEAN_POWER, " (Leistungsmittel)"),
}
"""What ends the name of a limit, and how it is said."""
_READ_BACK = (" (read-back disagrees: {read_back})", " (Rückmeldung widerspricht: {read_back})")
_READ_BACKS: Mapping[str, tuple[str, str]] = {
    "enabled": ("enabled", "Freigabe"),
    "phases": ("phases", "Phasen"),
    "current": ("current", "Strom"),
}
_SHORT = (
    " {short:.1f} kWh will be missing in time; {hours}:{minutes:02} h more would do, or a lower goal.",
    " {short:.1f} kWh werden rechtzeitig fehlen; {hours}:{minutes:02} h mehr würden reichen, oder ein niedrigeres Ziel.",
)
_WITHHELD = (" Limits withhold {withheld:.1f} kWh.", " Grenzen halten {withheld:.1f} kWh zurück.")
_UNTIL = (" Until {time}.", " Bis {time}.")


def reason_text(reason: Reason, language: str, until: datetime | None = None) -> str:
    """One or two sentences; ``until`` is shown as the clock time in its own zone. Unknown languages get English."""
    index = _index(language)
    sentence = _REASONS[reason.code][index]
    if reason.limit is not None:
        sentence = sentence.removesuffix(".") + _LIMITED_BY[index].format(limit=_named(reason.limit, index)) + "."
    read_back = reason.params.get("read_back")
    if isinstance(read_back, str):
        name = _READ_BACKS[read_back][index]
        sentence = sentence.removesuffix(".") + _READ_BACK[index].format(read_back=name) + "."
    if until is not None:
        sentence += _UNTIL[index].format(time=until.strftime("%H:%M:%S"))
    return sentence + _shortage_text(reason, index)


def _shortage_text(reason: Reason, index: int) -> str:
    """What the plan lacks, and what would do."""
    short_kwh, later_min = reason.params.get("short_kwh"), reason.params.get("later_min")
    if not isinstance(short_kwh, float) or not isinstance(later_min, float | int):
        return ""
    text = _SHORT[index].format(short=short_kwh, hours=int(later_min) // 60, minutes=int(later_min) % 60)
    withheld_kwh = reason.params.get("withheld_kwh")
    return text + (_WITHHELD[index].format(withheld=withheld_kwh) if isinstance(withheld_kwh, float) else "")


def _named(limit: str, index: int) -> str:
    """The name of a limit: the owner's word for a circuit, and which of its limits it is."""
    for ending, words in _OF_LIMITS.items():
        if limit.endswith(ending):
            return limit.removesuffix(ending) + words[index]
    return limit


def spell_text(spell: Spell, language: str, until: datetime | None = None) -> str:
    """The reason that held, or the two that took turns; ``until`` as for `reason_text`."""
    text = reason_text(spell.reason, language, until)
    if spell.other is not None:
        text += _IN_TURN[_index(language)].format(other=reason_text(spell.other, language), count=spell.turns)
    return text


def awaited_text(what: Awaited, language: str, until: datetime | None) -> str:
    """One or two sentences; ``until`` as for `reason_text`."""
    index = _index(language)
    return _AWAITED[what][index] + ("" if until is None else _UNTIL[index].format(time=until.strftime("%H:%M:%S")))


def battery_text(code: BatteryCode, language: str, until: datetime | None = None) -> str:
    """Why a home battery is in its mode; ``until`` as for `reason_text`."""
    index = _index(language)
    return _OF_BATTERIES[code][index] + ("" if until is None else _UNTIL[index].format(time=until.strftime("%H:%M:%S")))


def warning_text(warned: Warned, language: str, title: str = "") -> str:
    """One line for logs and the ``warn`` channel; ``title`` names the loadpoint."""
    details = ", ".join(f"{name} {_short(value)}" for name, value in warned.params.items())
    where = f"{title}: " if title else ""
    return f"{where}{_WARNINGS[warned.code][_index(language)]}" + (f" ({details})" if details else "")


@functools.cache
def _index(language: str) -> int:
    return LANGUAGES.index("de") if language.split("-")[0].lower() == "de" else LANGUAGES.index("en")


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
