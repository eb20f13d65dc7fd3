"""What stations measure: words in the device and the values that they are, by hand. Keys are titles of stations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEASURED: Mapping[str, tuple[Mapping[str, Sequence[int]], Mapping[str, Any]]] = {
    "abb-terra-ac": (
        {
            "holding 16400": [0, 15_900],
            "holding 16402": [0, 15_950],
            "holding 16404": [0, 70],
            "holding 16406": [0, 2301],
            "holding 16408": [0, 2310],
            "holding 16410": [0, 2299],
            "holding 16412": [0, 7321],
            "holding 16414": [1, 0],
            "holding 16398": [0, 15_999],
        },
        {
            "currents_a": (15.9, 15.95, 0.07),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 7321.0,
            "energy_session_kwh": 65.536,
            "current_offered_a": 15.999,
        },
    ),
    "abl-em4": (
        {
            "holding 12289": [0, 159, 0, 160, 0, 1],
            "holding 12295": [0, 2301, 0, 2310, 0, 2299],
            "holding 12301": [0, 7321],
            "holding 12303": [1, 1],
        },
        {
            "currents_a": (15.9, 16.0, 0.1),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 7321.0,
            "energy_total_kwh": 655.37,
        },
    ),
    "amperfied solar": (
        {"input 6": [100, 99, 98], "input 10": [230, 231, 229], "input 14": [6830], "input 17": [2, 3]},
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6830.0,
            "energy_total_kwh": 131.075,
            "phases": 3,
        },
    ),
    "bender-cc CC613": (
        {
            "holding 212": [0, 10_000, 0, 9900, 0xFFFF, 0xFFFF],
            "holding 218": [0, 12_345],
            "holding 220": [0, 4577],
            "holding 222": [0, 230, 0, 231, 0xFFFF, 0xFFFF],
        },
        {
            "currents_a": (10.0, 9.9, 0.0),
            "voltages_v": (230.0, 231.0, 0.0),
            "power_w": 4577.0,
            "energy_total_kwh": 12.345,
        },
    ),
    "bender-cc legacy": (
        {"holding 200": [0, 1000, 0, 2000, 0, 3000], "holding 212": [0, 10_000, 0, 9000, 0, 0]},
        {"currents_a": (10.0, 9.0, 0.0), "voltages_v": None, "power_w": 4370.0, "energy_total_kwh": 6.0},
    ),
    "cfos-power-brain": (
        {"holding 8058": [0, 0, 1, 1], "holding 8062": [0, 4600], "holding 8064": [0, 100, 0, 99, 0, 0]},
        {"currents_a": (10.0, 9.9, 0.0), "power_w": 4600.0, "energy_total_kwh": 65.537, "phases": 3},
    ),
    "cfos-power-brain without relay": (
        {"holding 8058": [0, 0, 0, 0], "holding 8062": [0, 4600]},
        {"currents_a": None, "power_w": None, "energy_total_kwh": None},  # no meter
    ),
    "dadapower": (
        {
            "input 1001": [1075],
            "input 1003": [23_010, 23_100, 22_990],
            "input 1006": [1075, 1070, 1],
            "input 1009": [0, 4945],
            "input 1017": [0, 0, 0, 4321],
            "input 1025": [0, 1, 0, 0],
            "input 1040": [0x3034, 0x4131, *[0] * 18],
        },
        {
            "currents_a": (10.75, 10.7, 0.01),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 4945.0,
            "energy_session_kwh": 4.321,
            "energy_total_kwh": 4_294_967.296,
            "identity": "04A1",
            "phases": 3,
            "current_offered_a": 10.75,
        },
    ),
    "daheimladen Pro": (
        {
            "holding 6": [100],
            "holding 8": [99],
            "holding 10": [98],
            "holding 12": [0, 6831],
            "holding 28": [0, 12_345],
            "holding 54": [0x30, 0x34, 0x41, *[0] * 13],
            "holding 72": [43],
            "holding 78": [0, 3600],
            "holding 109": [2301],
            "holding 111": [2310],
            "holding 113": [2299],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6831.0,
            "energy_total_kwh": 1234.5,
            "energy_session_kwh": 4.3,
            "identity": "04A",
            "phases": 3,
        },
    ),
    "em2go-duo connector 2": (
        {
            "holding 512": [100],
            "holding 514": [99],
            "holding 516": [98],
            "holding 518": [2301],
            "holding 520": [2310],
            "holding 522": [2299],
            "holding 536": [0, 6831],
            "holding 540": [0, 12_345],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6831.0,
            "energy_total_kwh": 1234.5,
        },
    ),
    "em2go": (
        {
            "holding 6": [100],
            "holding 8": [99],
            "holding 10": [98],
            "holding 12": [0, 6831],
            "holding 28": [0, 12_345],
            "holding 109": [2301],
            "holding 111": [2310],
            "holding 113": [2299],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6831.0,
            "energy_total_kwh": 1234.5,
            "phases": 3,
        },
    ),
    "etrel-inch connector 2": (
        {
            "input 104": [0x4120, 0],
            "input 114": [0x4120, 0, 0x411E, 0, 0x411C, 0],
            "input 126": [0x40DA, 0],
        },
        {"currents_a": (10.0, 9.875, 9.75), "power_w": 6812.5, "current_offered_a": 10.0},
    ),
    "go-e-charger": (
        {
            "input 108": [0, 230, 0, 231, 0, 229],
            "input 114": [0, 100, 0, 99, 0, 98],
            "input 120": [0, 683],
            "input 128": [0, 12_345],
            "input 132": [0, 36_000],
            "input 327": [0x04A1, 0xB2C3, 0, 0, 0],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6830.0,
            "energy_total_kwh": 1234.5,
            "energy_session_kwh": 0.1,
            "identity": "04a1b2c3",
            "phases": 3,
        },
    ),
    "goodwe-hca 11 kW": (
        {"holding 10009": [2301, 2310, 2299, 100, 99, 98, 68], "holding 10065": [0, 12_345]},
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6800.0,
            "energy_total_kwh": 1234.5,
        },
    ),
    "hesotec": (
        {
            "holding 16385": [230, 231, 229],
            "holding 16388": [0, 10_000, 0, 9900, 0, 0],
            "holding 16406": [0, 10_000],
            "holding 16412": [0, 4321],
        },
        {
            "currents_a": (10.0, 9.9, 0.0),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 4586.9,
            "energy_session_kwh": 4.321,
            "current_offered_a": 10.0,
        },
    ),
    "keba-p40": (
        {
            "holding 1008": [0, 10_000],
            "holding 1010": [0, 9900],
            "holding 1012": [0, 0],
            "holding 1016": [0x003E, 0xBEEF],  # 4112111: with meter and card reader
            "holding 1020": [0x0045, 0xD6E8],
            "holding 1036": [1, 0xE240],
            "holding 1500": [0x04A1, 0xB2C3],
        },
        {
            "currents_a": (10.0, 9.9, 0.0),
            "power_w": 4577.0,
            "energy_total_kwh": 12.3456,
            "identity": "04a1b2c3",
            "phases": 3,
        },
    ),
    "kse-wbx16": (
        {
            "input 17": [230, 231, 229],
            "input 20": [10_000, 9900, 9800],
            "input 23": [432],
            "input 24": [6831],
            "input 96": [1, 0],
            "discrete 49": [1],
            "holding 103": [0x3034, 0x4131, 0, 0],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6831.0,
            "energy_session_kwh": 4.32,
            "energy_total_kwh": 65.536,
            "identity": "04A1",
            "phases": 3,
        },
    ),
    "mennekes-compact": (
        {
            "holding 276": [0x4120, 0],
            "holding 1280": [0x4120, 0, 0x411E, 0, 0x411C, 0],
            "holding 1286": [0x4366, 0, 0x4367, 0, 0x4365, 0],
            "holding 1298": [0x45D5, 0x8000],
            "holding 4096": [0x449A, 0x5000],
        },
        {
            "currents_a": (10.0, 9.875, 9.75),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6832.0,
            "energy_total_kwh": 1234.5,
            "current_offered_a": 10.0,
            "phases": 3,
        },
    ),
    "mennekes-hcc3": (
        {"input 781": [4321, 0], "input 783": [0x1AAF, 0]},
        {"power_w": 6831.0, "energy_session_kwh": 4.321},  # low word first
    ),
    "openwb-series2": (
        {
            "input 10200": [0, 6831],
            "input 10202": [1, 0],
            "input 10204": [23_010, 23_100, 22_990],
            "input 10207": [1000, 990, 980],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6831.0,
            "energy_total_kwh": 65.536,
        },
    ),
    "peblar": (
        {
            "input 30000": [0, 0, 1, 0],
            "input 30014": [0, 6831],
            "input 30016": [0, 230, 0, 231, 0, 229],
            "input 30022": [0, 10_000, 0, 9900, 0, 9800],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6831.0,
            "energy_total_kwh": 65.536,
            "phases": 3,
        },
    ),
    "phoenix-charx": (
        {
            "holding 3112": [7],
            "holding 3232": [3, 33_392, 3, 34_392, 3, 32_392],
            "holding 3238": [0, 10_000, 0, 9900, 0, 9800],
            "holding 3244": [0x0068, 0x3B98],
            "holding 3250": [0, 0, 1, 0],
            "holding 3265": [0] * 10,
            "holding 3275": [0x3034, 0x4131, *[0] * 8],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6831.0,
            "energy_total_kwh": 65.536,
            "identity": "04A1",
        },
    ),
    "phoenix-ev-eth": (
        {
            "input 108": [230, 0, 231, 0, 229, 0],
            "input 114": [10, 0, 9, 0, 8, 0],
            "input 120": [6831, 0],
            "coil 419": [1],
            "holding 606": [0x3034, 0x4131, *[0] * 14],
            "holding 904": [0, 1],
        },
        {
            "currents_a": (10.0, 9.0, 8.0),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6831.0,
            "energy_total_kwh": 65.536,
            "identity": "04A1",
        },
    ),
    "phoenix-ev-eth Wallbe in tenths": (
        {"input 108": [230, 0], "holding 904": [345, 0], "holding 2980": [0, 1, 0, 0]},
        {"energy_total_kwh": 65.536},
    ),
    "schneider-evlink-v3": (
        {
            "holding 2999": [0, 0x4120, 0, 0x411E, 0, 0x411C],
            "holding 3027": [0, 0x4366, 0, 0x4367, 0, 0x4365],
            "holding 3059": [0, 0x40DA],
            "holding 3203": [0, 1, 0, 0],
        },
        {
            "currents_a": (10.0, 9.875, 9.75),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6812.5,
            "energy_total_kwh": 65.536,
        },
    ),
    "sigenergy-evac": (
        {"holding 32001": [1, 0], "holding 32003": [0, 6831]},
        {"power_w": 6831.0, "energy_total_kwh": 655.36},
    ),
    "smartevse": (
        {
            "input 258": [0x0A10],
            "input 261": [0x0A00, 0x0980, 0],
            "input 264": [0x0480],
            "input 265": [0xE600, 0xE700, 0xE500],
            "input 269": [0x0080, 0x0001],
        },
        {
            "currents_a": (10.0, 9.5, 0.0),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 4494.5,
            "energy_session_kwh": 4.5,
            "energy_total_kwh": 256.5,
            "current_offered_a": 10.0,
            "phases": 3,
        },
    ),
    "solax-evc": (
        {"input 0": [23_010, 23_100, 22_990], "input 4": [1000, 990, 980], "input 11": [6831], "input 16": [1, 1]},
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6831.0,
            "energy_total_kwh": 6553.7,
        },
    ),
    "solax-evc-g2": (
        {"input 16": [0x3039, 0]},
        {"energy_total_kwh": 1234.5, "phases": 3},
    ),
    "sungrow-ac": (
        {
            "input 21299": [0, 1],
            "input 21301": [2301],
            "input 21302": [100],
            "input 21303": [2310],
            "input 21304": [99],
            "input 21305": [2299],
            "input 21306": [98],
            "input 21307": [6831, 0],
            "input 21309": [4321, 0],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.1, 231.0, 229.9),
            "power_w": 6831.0,
            "energy_total_kwh": 65.536,
            "energy_session_kwh": 4.321,
            "phases": 3,
        },
    ),
    "versicharge": (
        {
            "holding 1647": [10, 9, 8],
            "holding 1651": [230, 231, 229],
            "holding 1662": [2300, 2079, 0xFFFF],
            "holding 1692": [1, 0],
        },
        {
            "currents_a": (10.0, 9.0, 8.0),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 4379.0,
            "energy_total_kwh": 65.536,
        },
    ),
    "victron-evcs": (
        {"holding 5014": [6831], "holding 5021": [432]},
        {"power_w": 6831.0, "energy_session_kwh": 4.32, "currents_a": None, "phases": 3},
    ),
    "victron-evcs-gx": ({"holding 3816": [0, 432], "holding 3821": [6831]}, {"power_w": 6831.0}),
    "webasto-next": (
        {
            "holding 1008": [10_000],
            "holding 1010": [9900],
            "holding 1012": [0],
            "holding 1020": [0, 4577],
            "holding 1036": [1, 0],
            "holding 1600": [0x3034, 0x4131, *[0] * 8],
        },
        {"currents_a": (10.0, 9.9, 0.0), "power_w": 4577.0, "energy_total_kwh": 65.536, "identity": "04A1"},
    ),
    "weidmueller-ac-smart": (
        {
            "holding 400": [0x8270, 3, 0x8658, 3, 0x7E88, 3],
            "holding 406": [10_000, 0, 9900, 0, 9800, 0],
            "holding 418": [0x3B98, 0x0068],
            "holding 457": [0, 1, 0, 0],
            "holding 1000": [0x3034, 0x4131, *[0] * 9],
        },
        {
            "currents_a": (10.0, 9.9, 9.8),
            "voltages_v": (230.0, 231.0, 229.0),
            "power_w": 6831.0,
            "energy_total_kwh": 65.536,
            "identity": "04A1",
        },
    ),
}
