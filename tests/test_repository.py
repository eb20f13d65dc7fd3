"""What a stranger who clones or installs the project relies on."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

import pytest
from docs_code import ROOT, blocks, check, pages

from evcc_server.config.load import parse_config

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTRAS = {"server", "jq", "sim", "optimize", "bench", "cluster", "dev"}

PLACES = re.compile("|".join(("/" + "work/", "/" + "tmp/", "shared" + "/spec", "shared" + "/design", "/" + "root/")))
"""Where somebody worked; spelled so that this file does not name them."""
INDEX = re.compile(r"https?://|--(index|extra-index|find-links|trusted-host)|(^|\s)-[if]\s| @ ", re.MULTILINE)


def tracked() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git clone")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            yield ROOT / name


def tables(page: str) -> Iterator[tuple[str, list[str]]]:
    """The head of each table of a page, and the lines below it, blocks of code apart."""
    text = re.sub(r"(?ms)^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"))
    for table in re.findall(r"(?m)(?:^ *\|.*\n?)+", text):
        head, *rows = table.splitlines()
        yield head, rows


def cells(row: str) -> list[str]:
    """The cells of a table's row: what stands between bars that no backslash precedes."""
    return re.split(r"(?<!\\)\|", row.strip())


def test_no_file_names_the_place_in_which_it_was_written() -> None:
    for path in tracked():
        found = PLACES.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{path.relative_to(ROOT)}: {found and found.group()}"


def test_constraints_are_versions_and_name_no_index() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert INDEX.search(text) is None
    for line in text.splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)?", line), line


def test_a_plain_install_brings_no_dependency() -> None:
    assert PROJECT["dependencies"] == []
    required = metadata.requires("evcclib") or []
    assert required
    assert [line for line in required if not re.search(r"\bextra == ", line)] == []
    assert set(metadata.metadata("evcclib").get_all("Provides-Extra") or ()) == EXTRAS


def test_the_commands_are_there() -> None:
    scripts = {entry.name: entry for entry in metadata.entry_points(group="console_scripts") if entry.dist is not None}
    for name in ("evcc-server", "evcc-sim"):
        assert callable(scripts[name].load())


def test_data_files_are_inside_the_packages() -> None:
    server, sim = resources.files("evcc_server"), resources.files("evcc_sim")
    for folder, suffix, least in (
        (server / "profiles", ".yaml", 84),
        (server / "web", ".html", 2),
        (server / "web", ".js", 1),
        (sim / "worlds" / "scenarios", ".toml", 20),
    ):
        assert sum(each.name.endswith(suffix) for each in folder.iterdir()) >= least, folder
    assert (sim / "commands" / "demo-home.toml").is_file()
    for package in ("evcclib", "evcc_server", "evcc_sim"):
        assert (resources.files(package) / "py.typed").is_file()


@pytest.mark.parametrize("page", ["README.md", "docs"])
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    pages = [ROOT / page] if page.endswith(".md") else sorted((ROOT / page).glob("*.md"))
    for path in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_page_of_the_manual_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", README))
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= linked


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_every_row_of_a_table_has_the_cells_of_its_head(page: str) -> None:
    for head, table in tables(page):
        for row in table:
            assert len(cells(row)) == len(cells(head)), f"{page}: {row[:120]}"


def test_the_configuration_in_the_readme_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    config = parse_config(text, "README.md", environment={})
    assert (config.site.grid, config.site.pv, config.network.host) == ("grid", ("pv",), "127.0.0.1")


def test_the_library_in_the_readme_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(README)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == code.splitlines()[-1].removeprefix("# ") + "\n"


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "README.md"], ids=lambda page: page.name)
def test_the_programs_in_the_docs_run_as_they_stand_there(page: Path) -> None:
    for code in blocks(page.read_text(encoding="utf-8")):
        exec(compile(code, page.name, "exec"), {})


def test_types_of_what_a_newcomer_copies_are_checked_by_page_and_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n```python\nfrom evcclib import LoadpointConfig\n\nLoadpointConfig(mode='off')\n```\n")
    code, report = check(page, tmp_path)
    assert code == 1
    assert report.startswith('page.md:6: error: Argument "mode" to "LoadpointConfig" has incompatible type "str"'), (
        report
    )
    assert report.count("error:") == 1  # the examples have none


def test_every_scenario_of_the_readme_exists() -> None:
    names = re.findall(r"evcc-sim (?:run|serve) ([\w-]+)", README)
    assert names
    for name in names:
        assert (resources.files("evcc_sim.worlds") / "scenarios" / f"{name}.toml").is_file(), name


@pytest.mark.parametrize(
    ("module", "missing", "said"),
    [
        ("evcc_server.__main__", "trio", "evcc-server: trio is missing: install evcclib with its extra, [server]\n"),
        ("evcc_sim.__main__", "simpy", "evcc-sim: simpy is missing: install evcclib with its extra, [sim]\n"),
        ("evcc_sim.__main__", "rich", "evcc-sim: rich is missing: install evcclib with its extra, [sim]\n"),
    ],
)
def test_a_plain_install_says_what_its_commands_need(module: str, missing: str, said: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['x', 'run', 'clear-day'];"
        f" import {module} as started; sys.exit(started.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, said)


def test_the_pytest_plugin_costs_a_plain_install_nothing() -> None:
    code = "import sys; sys.modules.update(dict.fromkeys(('simpy', 'trio', 'anyio'))); import evcc_sim.pytest_plugin"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {target for target in re.findall(r"\bmake ([a-z]+)\b(?=[ \n`\"])", README) if target != "are"} <= targets
