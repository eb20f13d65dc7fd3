"""Values on the command line of ``evcc-sim`` that cannot be: one line says what, and what is allowed, before anything runs."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evcc_server.profiles.profile import load as load_profile
from evcc_server.profiles.profile import names as profile_names
from evcc_sim.commands import cli
from evcc_sim.devices.images import image
from evcc_sim.worlds.card_ids import misfit

STATIONS_WITH_CARDS = [name for name in profile_names() if misfit(load_profile(name), "\0") is not None]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "clear-day", "--plot", "no-such-folder/day.png"], "there is no folder 'no-such-folder'"),
        (["run", "clear-day", "--plot", "day.bmp"], "expected a name that ends in .png, .svg, .pdf"),
        (["run", "clear-day", "--html", "no-such-folder/day.html"], "there is no folder 'no-such-folder'"),
        (["run", "clear-day", "--html", "."], "'.': this is a folder, expected a file to write"),
        *(
            (["compare", "clear-day", option, ""], f"argument {option}: '': expected a name")
            for option in ("--law", "--second-law", "--control", "--second-control", "--sun", "--load", "--price")
        ),
        (["run", "clear-day", "--seed", "-1"], "'-1': expected a whole number from 0 on"),
        (["run", "clear-day", "--days", "0"], "'0': expected a whole number of days from 1 to 3660"),
        (["run", "clear-day", "--days", "two"], "'two': expected a whole number of days from 1 to 3660"),
        (["run", "clear-day", "--days", "9" * 20], "expected a whole number of days from 1 to 3660"),
        (["run", "clear-day", "--html", "/proc/day.html"], "'/proc/day.html' cannot be written: "),
        (["sweep", "clear-day", "--seeds", "9" * 14], "expected a number of seeds from 1 to 1000000"),
        (["sweep", "clear-day", "--scheduler", "nonsense"], "'nonsense': expected an address such as tcp://"),
        (["serve", "clear-day", "--first-port", "99999"], "99999 is no port, expected 1 to 65535"),
        (["serve", "clear-day", "--first-port", "x"], "x is no port, expected 1 to 65535"),
        (["serve", "clear-day", "--at", "12:00+02:00"], "'12:00+02:00': expected a time of day"),
        (["record", "nonsense", "site.csv"], "'nonsense': expected an address such as http://"),
        (["record", "http://127.0.0.1:x", "site.csv"], "'http://127.0.0.1:x': expected an address"),
        (["replay", "site.csv", "--time-zone", "Mars"], "'Mars' is no time zone"),
        (["sweep", "clear-day", "--seeds", "0"], "'0': expected a number of seeds"),
        (["sweep", "clear-day", "--seeds", "5-3"], "'5-3': expected a number of seeds"),
        (["sweep", "clear-day", "--seeds=-3"], "'-3': expected a number of seeds"),
        (["sweep", "clear-day", "--json", "no-such-folder/all.json"], "there is no folder 'no-such-folder'"),
        (["kills", "--more", "-1"], "'-1': expected a whole number from 0 on"),
        (["serve", "clear-day", "--factor", "0"], "'0': expected a number above 0"),
        (["serve", "clear-day", "--factor", "nan"], "'nan': expected a number above 0"),
        (["serve", "clear-day", "--at", "25:00"], "'25:00': expected a time of day"),
        (["demo", "--duration", "0"], "'0': expected more than 0"),
        (["record", "http://127.0.0.1:1", "no-such-folder/site.csv"], "there is no folder 'no-such-folder'"),
        (["record", "http://127.0.0.1:1", "site.csv", "--interval", "0"], "'0': expected more than 0"),
        (["record", "http://127.0.0.1:1", "site.csv", "--for", "2 weeks"], "'2 weeks': expected a number of seconds"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == cli.WRONG_USE
    *_usage, last = capsys.readouterr().err.strip().splitlines()
    assert words in last and last.startswith("evcc-sim ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("car.0.capacity_kwh=-5", "car[0].capacity_kwh: -5.0 is not allowed, only more than 0, at most 100000"),
        ("site.interval_s=0", "site.interval_s: 0.0 is not allowed, only 1 to 3600"),
        ("pv.0.profile=alfen-ng9xx", "'alfen-ng9xx' cannot be a pv, only charger"),
        ("charger.0.loadpoint.phases=7", "loadpoint.phases: 7 is not allowed, only 0, 1 or 3"),
    ],
)
def test_a_changed_value_is_checked_like_one_of_a_file(
    change: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "clear-day", "--set", change]) == cli.WRONG_USE
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said and said.startswith("evcc-sim: ")


@pytest.mark.parametrize(
    ("profile", "card", "words"),
    [
        ("amperfied", "my card", "an even number of hexadecimal digits, at most 24"),
        ("amperfied", "04A1B", "an even number of hexadecimal digits, at most 24"),
        ("go-e-charger", "04 A1", "an even number of hexadecimal digits, at most 20"),
        ("keba-p30", "anna", "1 to 8 hexadecimal digits"),
        ("kse-wbx16", "0123456789", "at most 8 characters of ASCII"),
        ("webasto-next", "Käthe", "at most 20 characters of ASCII"),
        ("daheimladen", "x" * 17, "at most 16 characters"),
    ],
)
def test_a_card_that_its_station_cannot_show_is_refused_when_the_world_is_read(
    profile: str, card: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", f"charger.0.box.profile={profile}", "--set", f"car.0.rfid='{card}'"]
    assert cli.main(["run", "clear-day", *changes]) == cli.WRONG_USE
    said = capsys.readouterr().err
    assert said.startswith("evcc-sim: clear-day,") and said.count("\n") == 1
    assert said.endswith(f".car[0].rfid: {card!r} is not allowed, a card at {profile!r} has {words}\n")


@settings(max_examples=300, deadline=None)
@given(
    profile=st.sampled_from(STATIONS_WITH_CARDS),
    card=st.text(max_size=40) | st.text("0123456789abcdefABCDEF", max_size=30),
)
def test_every_other_card_is_shown_as_it_is(profile: str, card: str) -> None:
    """What no scenario refuses has an image in every register that shows a card."""
    device = load_profile(profile)
    assume(card and misfit(device, card) is None)
    assert device.charger is not None
    for identity in (device.charger.identity, *(variant.identity for variant in device.charger.variants)):
        for key in () if identity is None else (identity.register, *identity.registers):
            register = device.register_by_key[key]
            base = 16 if identity is not None and identity.format == "hex" else 10
            words = image(
                register, card if register.type == "string" else int(card, base), order=device.connection.word_order
            )
            assert len(words) == register.count
            if register.type == "string":
                data = b"".join(word.to_bytes(2, "big") for word in words)
                shown = {"hex": data.hex(), "utf16be": data.decode("utf-16-be", "replace")}.get(register.encoding or "")
                assert (shown or data.decode("latin-1")).rstrip("0\0").casefold() == card.rstrip("0").casefold()


def test_a_world_without_a_station_is_none_for_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "clear-day", "--full-stack", "--set", "charger=[]", "--set", "car=[]"]) == cli.WRONG_USE
    assert "the server needs at least one charger" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "clear-day", "--first-port", "65534"], "leaves too few for 4 devices, expected 1 to 65532"),
        (["demo", "--port", "7070", "--mqtt-port", "7070"], "--port and --mqtt-port are both 7070"),
        (["run", "clear-day", "--control", "json:loads"], "expected something to call as factory(config, restored"),
        (["run", "clear-day", "--control", "math:pi"], "expected something to call as factory(config, restored"),
        (["run", "clear-day", "--control", ":x"], "expected module:factory"),
        (["run", "clear-day", "--control", ".x:y"], "expected module:factory"),
        (["run", "clear-day", "--control", "broken_controls:nothing_at_all"], "lacks the methods step, submit, view"),
        (["run", "clear-day", "--control", "broken_controls:jumpy", "--full-stack"], "--control goes without"),
        (["sweep", "clear-day", "--seeds", "1", "--control", "json:loads"], "expected something to call as factory"),
        (["sweep", "clear-day", "--seeds", "1", "--control", "broken_controls:nothing_at_all"], "lacks the methods"),
        (["compare", "clear-day", "--seeds", "1", "--second-control", "json:loads"], "expected something to call"),
        (["run", "clear-day", "--set", "charger.²=3"], "there are entries 0..0, not '²'"),
        (["run", "x" * 5000], "unknown scenario"),
        (["run", "x" * 5000 + ".toml"], "File name too long"),
        (["kills", "@bad_car:phases=9"], "@bad_car: phases=9 is not allowed, only 1 to 3"),
        (["run", "@any_world:number=abc"], "number=abc is not allowed, only whole numbers 1 to 999999"),
        (["run", "@any_world:number=-1"], "number=-1 is not allowed, only whole numbers 1 to 999999"),
        (["run", "@any_world:number=1.5"], "number=1.5 is not allowed"),
        (["run", "@any_world:number=1e400"], "number=1e400 is not allowed"),
        (["run", "@any_world:number"], "'number': expected parameter=value"),
        (["run", "@any_world:number=1,number=2"], "'number' is given twice"),
        (["run", "@any_world:faults=maybe"], "faults=maybe is not allowed, only some, none"),
    ],
)
def test_what_only_a_command_can_tell_is_one_line_too(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.WRONG_USE
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said and said.startswith("evcc-sim")


HEADER = "time,home_w,pv_w,grid_w,battery_w,battery_soc_pct,lp1_title,lp1_connected,lp1_charge_w,lp1_soc_pct,lp1_mode\n"
GOOD = "2026-06-15T10:00:00+00:00,300,0,0,0,0,a,1,0,50,pv\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + GOOD + "2026-06-15T10:01:00,300,0,0,0,0,a,1,0,50,pv\n", ":3: '2026-06-15T10:01:00': the time lacks"),
        (HEADER + GOOD + GOOD.replace(",pv", ",fast"), ":3: mode 'fast' is not allowed, only off, now, minpv, pv"),
        (HEADER + GOOD + GOOD.replace("T10", "T09"), ":3: 2026-06-15T09:00:00+00:00 is before the row above it"),
        (HEADER + GOOD.replace(",300,", ",nan,"), ":2: 'nan' is no number"),
        (HEADER + GOOD.replace(",300,", ",1e400,"), ":2: '1e400' is no number"),
        (HEADER + "2026-06-15T10:00:00+00:00,300\n", ":2: 2 values, expected 11"),
        (HEADER + GOOD.replace(",50,", ",400,") + GOOD.replace("T10", "T11"), "soc_pct: 400.0 is not allowed"),
    ],
)
def test_a_recording_that_cannot_be_is_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.csv"
    file.write_text(text, encoding="utf-8")
    assert cli.main(["replay", str(file)]) == cli.WRONG_USE
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said


@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_file_that_is_no_text_is_one_line(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "world.toml"
    file.write_bytes(b"\xe0\xff\x00")
    assert cli.main([command, str(file)]) == cli.WRONG_USE
    said = capsys.readouterr().err.strip()
    assert str(file) in said and "\n" not in said
