"""Values on the command line of ``evcc-sim`` that cannot be: one line says what, and what is allowed, before anything runs."""

import pytest

from evcc_sim import cli


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "clear-day", "--plot", "no-such-folder/day.png"], "there is no folder 'no-such-folder'"),
        (["run", "clear-day", "--plot", "day.bmp"], "expected a name that ends in .png, .svg, .pdf"),
        (["run", "clear-day", "--html", "no-such-folder/day.html"], "there is no folder 'no-such-folder'"),
        (["run", "clear-day", "--html", "."], "there is no folder"),
        (["run", "clear-day", "--seed", "-1"], "'-1': expected a whole number from 0 on"),
        (["run", "clear-day", "--days", "0"], "'0': expected a whole number from 1 on"),
        (["run", "clear-day", "--days", "two"], "'two': expected a whole number from 1 on"),
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


def test_a_world_without_a_station_is_none_for_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "clear-day", "--full-stack", "--set", "charger=[]", "--set", "car=[]"]) == cli.WRONG_USE
    assert "the server needs at least one charger" in capsys.readouterr().err
