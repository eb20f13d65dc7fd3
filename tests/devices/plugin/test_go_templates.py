"""Templates in plugins' texts give what Go gives, or are refused when the file is read; none is ever sent as it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_site import CONST_CHARGER, MemoryTopics, Web, error_of, plugin_site
from trio_test import in_virtual_time

from evcc_server.errors import DeviceImplausible
from evcc_server.json_path import JsonValue
from evcc_server.texts.go_functions import TemplateError
from evcc_server.texts.go_template import compile_template
from evcc_server.texts.placeholders import filled_in, problem_of

NOON = datetime(2026, 1, 31, 12, 5, 9, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, 2, 0, tzinfo=ZoneInfo("Europe/Berlin"))

FILLED: list[tuple[str, str, JsonValue, str]] = [
    # text, name, value, what is sent
    ("plain", "enable", True, "plain"),
    ("{{.enable}}", "enable", True, "true"),
    ("{{ .Enable }}", "enable", False, "false"),
    ("turn_{{ if .enable }}on{{ else }}off{{ end }}!", "enable", True, "turn_on!"),
    ("turn_{{ if .enable }}on{{ else }}off{{ end }}!", "enable", False, "turn_off!"),
    ("{{ if not .enable }}4{{ end }}", "enable", True, ""),
    ("{{ if eq .phases 1 }}a{{ else if eq .phases 3 }}b{{ else }}c{{ end }}", "phases", 3, "b"),
    ("{{ if and (ge .phases 1) (lt .phases 3) }}one{{ end }}", "phases", 1, "one"),
    ("{{ if or (eq .phases 2 3) false }}many{{ end }}", "phases", 3, "many"),
    ('{"amps": {{.maxcurrent}}}', "maxcurrent", 16, '{"amps": 16}'),
    ("{{ mul .maxcurrent 10 | int }}", "maxcurrent", 8, "80"),
    ("{{ mul .maxcurrentmillis 10 }}", "maxcurrentmillis", 8.3, "80"),  # of whole numbers
    ("{{ mulf .maxcurrentmillis 10 | int }}", "maxcurrentmillis", 8.3, "83"),
    ("{{ round .maxcurrentmillis 1 }}", "maxcurrentmillis", 8.25, "8.3"),
    ("{{ round .maxcurrentmillis }}", "maxcurrentmillis", 8.5, "9"),
    ("{{ floor .maxcurrentmillis }}-{{ ceil .maxcurrentmillis }}", "maxcurrentmillis", 8.5, "8-9"),
    ('{{ printf "%.1f" .maxcurrentmillis }}', "maxcurrentmillis", 8.29, "8.2"),  # cut: never more than is allowed
    ('{{ .maxcurrentmillis | printf "%03d A, %%" }}', "maxcurrentmillis", 8.29, "008 A, %"),
    ('{{ printf "%x/%t" .maxcurrent true }}', "maxcurrent", 32, "20/true"),
    ("{{ div .maxcurrent 4 }} {{ mod .maxcurrent 4 }} {{ sub 1 .maxcurrent }}", "maxcurrent", 6, "1 2 -5"),
    ("{{ max 6 (min .maxcurrent 16) }} {{ add 1 2 3 }}", "maxcurrent", 32, "16 6"),
    ('{{ ternary "3" "4" .enable }}{{ default "x" "" }}', "enable", False, "4x"),
    ('{{ if ne (print .enable) "true" }}{{ upper "a" }}{{ lower `B` }}{{ end }}', "enable", False, "Ab"),
    ('{{ "a\\"b" | quote }}', "enable", True, '"a\\"b"'),
    ("a  {{- 1 -}}  b {{/* no }} more */}} c\n{{- /* gone */ -}}\n d", "enable", True, "a1b  cd"),
    ("{{ .maxcurrent }} ${maxcurrent:%d}", "maxcurrent", 6, "6 6"),
    ('{{ (now.AddDate 0 1 0).Format "2006-01-02" }}', "enable", True, "2026-03-03"),  # there is no 31 February
    ('{{ addDate now 1 0 -30 | date "02.01.06 15:04:05" }}', "enable", True, "01.01.27 12:05:09"),
    ('{{ now.UTC.Format "2006-01-02T15:04:05Z07:00" }}', "enable", True, "2026-01-31T12:05:09Z"),
    ("{{ now.Unix }} {{ unixEpoch now }}", "enable", True, "1769861109 1769861109"),
]


@pytest.mark.parametrize(("text", "name", "value", "sent"), FILLED, ids=[row[0] for row in FILLED])
def test_templates(text: str, name: str, value: JsonValue, sent: str) -> None:
    assert problem_of(text, name) is None
    assert filled_in(text, name, value, now=NOON) == sent


def test_times_are_the_houses() -> None:
    written = '{{ now.Format "Mon Jan 02 03:04 -07:00 -0700 MST 100%" }} {{ now.Format "Z07:00" }}'
    assert filled_in(written, None, None, now=SUMMER) == "Wed Jul 01 02:00 +02:00 +0200 CEST 100% +02:00"
    assert filled_in("{{ now.Local.UTC }}", None, None, now=SUMMER) == "2026-07-01T00:00:00+00:00"


REFUSED: list[tuple[str, str | None, str]] = [
    # text, name of the value, what is said
    ("${enabled}", "enable", "'${enabled}' is not known here, write ${enable}"),
    ("${maxcurrent}", "maxcurrentmillis", "'${maxcurrent}' is not known here, write ${maxcurrentmillis}"),
    ("${enable:d}", "enable", "'d' is no format, expected %d, %s, %t or such as %.1f"),
    ("${enable:%y}", "enable", "'%y' is no format, expected %d"),
    ("${enable", "enable", "'${enable' is not understood, write ${enable}"),
    ("${ enable }", "enable", "'${ enable }' is not understood, write ${enable}"),
    ("${token}", None, "'${token}' is not known here, nothing is written here; an environment variable is ${TOKEN}"),
    ("{{ .Value }}", "maxcurrent", "{{ .value }} is not known here, write {{ .maxcurrent }}"),
    ("{{.mode}}", "enable", "{{ .mode }} is not known here, write {{ .enable }}"),
    ("{{ . }}", "enable", "{{ . }} is not known here, write {{ .enable }}"),
    ("{{ .enable.x }}", "enable", "{{ .enable.x }} is not known here, write {{ .enable }}"),
    ("{{ .soc }}", None, "{{ .soc }} is not known here, nothing is written here, only now is known"),
    (
        "{{ timeRound .enable 1 }}",
        "enable",
        "in {{ }}: 'timeRound' is not known, there are if, else, end, add, addDate",
    ),
    ("{{ range .enable }}{{ end }}", "enable", "in {{ }}: 'range' is not known"),
    ("{{ $a := 1 }}", "enable", "in {{ }}: '$a := 1 }}' is not understood here"),
    ("{{ if .enable }}on", "enable", "in {{ }}: {{ if }} without {{ end }}"),
    ("on{{ end }}", "enable", "in {{ }}: {{ end }} without {{ if }}"),
    ("{{ if .enable }}{{ else }}{{ else }}{{ end }}", "enable", "in {{ }}: {{ else }} without {{ if }}"),
    ("{{ if .enable }}{{ end .enable }}", "enable", "in {{ }}: '.enable' is not understood here"),
    ("{{ .enable", "enable", "in {{ }}: {{ without }}"),
    ("{{ }}", "enable", "in {{ }}: something is missing in {{ }}"),
    ("{{ .enable | }}", "enable", "in {{ }}: something is missing in {{ }}"),
    ("{{ (.enable }}", "enable", "in {{ }}: ( without )"),
    ("{{ .enable 1 }}", "enable", "in {{ }}: only a function takes what stands behind it or before |"),
    ("{{ round }}", "enable", "in {{ }}: round takes at least 1 values, not 0"),
    ("{{ not 1 2 }}", "enable", "in {{ }}: not takes 1 values, not 2"),
    ('{{ printf "%q" .enable }}', "enable", "in {{ }}: '%q' is no format"),
    ('{{ printf "%d" }}', "enable", "in {{ }}: '%d' has no value"),
    ('{{ printf "" .enable }}', "enable", "in {{ }}: printf has more values than formats"),
    ('{{ eq .enable "on" }}', "enable", "in {{ }}: True and 'on' cannot be compared"),
    ('{{ mul .maxcurrent "x" }}', "maxcurrent", "in {{ }}: 'x' is no number"),
    ("{{ div .maxcurrent 0 }}", "maxcurrent", "in {{ }}: a division by zero"),
    ("{{ .maxcurrent | date `2006` }}", "maxcurrent", "in {{ }}: 6.0 is no time"),
    ("{{ now.Weekday }}", "enable", "in {{ }}: 'Weekday' is not known, a time has AddDate, Format, Local, UTC, Unix"),
    ("{{ now.Format }}", "enable", "in {{ }}: Format takes 1 values, not 0"),
    ("{{ addDate now 9999 0 0 }}", "enable", "in {{ }}: that time is out of reach"),
    ("{{ " + "(" * 30 + "1" + ")" * 30 + " }}", "enable", "in {{ }}: nested too deeply"),
    ("{{ if 1 }}" * 30 + "{{ end }}" * 30, "enable", "in {{ }}: nested too deeply"),
]


@pytest.mark.parametrize(("text", "name", "said"), REFUSED, ids=[row[0][:40] for row in REFUSED])
def test_what_cannot_be_evaluated_is_refused_with_what_to_write(text: str, name: str | None, said: str) -> None:
    problem = problem_of(text, name)
    assert problem is not None
    assert problem.startswith(said)


PIECES = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    "if",
    "else",
    "end",
    ".enable",
    "now",
    ".Format",
    '"2006"',
    "(",
    ")",
    "|",
    "1",
    " ",
    "x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_filled_in_or_refused(text: str) -> None:
    if problem_of(text, "enable") is None:
        assert "{{" not in filled_in(text, "enable", True)


@given(st.text(max_size=30))
def test_a_text_without_braces_is_itself(text: str) -> None:
    if "{{" not in text:
        assert compile_template(text).fill({}, NOON) == text


def test_what_cannot_be_done_with_a_value_is_an_error_of_its_own() -> None:
    with pytest.raises(TemplateError, match="division by zero"):
        compile_template("{{ divf 1 .x }}").fill({"X": 0}, NOON)
    with pytest.raises(TemplateError, match=r"\.y is not known here"):
        compile_template("{{ .y }}").fill({"x": 0}, NOON)


HOME_ASSISTANT = """
status: A
enabled: false
enable:
  source: http
  uri: http://ha.test/api/services/switch/{{ if .enable }}turn_on{{ else }}turn_off{{ end }}
  method: POST
  body: '{"entity_id": "switch.box"}'
maxcurrent:
  source: mqtt
  topic: box/{{ if gt .maxcurrent 6 }}more{{ else }}least{{ end }}
  payload: '{"dA": {{ mul .maxcurrent 10 }}}'
"""


@in_virtual_time
async def test_a_command_is_sent_filled_in() -> None:
    web = Web({f"POST /api/services/switch/turn_{word}": "[]" for word in ("on", "off")})
    topics = MemoryTopics()
    async with plugin_site(charger=HOME_ASSISTANT, web=web, topics=topics) as devices:
        box = devices.charger("box")
        await box.enable()
        await box.disable()
        await box.set_current(16)
    assert [request.url.path for request in web.asked] == [
        f"/api/services/switch/turn_{word}" for word in ("on", "off")
    ]
    assert topics.published == [("box/more", '{"dA": 160}', False)]


@in_virtual_time
async def test_a_template_that_fails_with_a_value_sends_nothing() -> None:
    charger = CONST_CHARGER.replace(
        "maxcurrent: ''", "maxcurrent: {source: http, uri: 'http://box.test/{{ div 60 .maxcurrent }}'}"
    )
    web = Web()
    async with plugin_site(charger=charger, web=web) as devices:
        said = await error_of(lambda: devices.charger("box").set_current(0), DeviceImplausible)
    assert said == "'http://box.test/{{ div 60 .maxcurrent }}': a division by zero"
    assert web.asked == []


@in_virtual_time
async def test_what_is_read_may_ask_for_a_day() -> None:
    web = Web({"GET /today": httpx.Response(200, text="7")})
    meter = "power: {source: http, uri: 'http://day.test/{{ if now.Unix }}today{{ end }}'}"
    async with plugin_site(meter=meter, web=web) as devices:
        assert (await devices.meter("grid").read()).power_w == 7
