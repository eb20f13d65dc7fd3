"""Generated worlds: Hypothesis draws the parameters of every pack, and no invariant may be violated in any of them.

``make test`` draws a few fixed worlds of each pack. EVCC_SIM_WORLDS=200 draws that many, new ones each time.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.generators import PACKS, generate
from evcc_sim.worlds.packs import Choice, Span
from evcc_sim.worlds.scenario import InvalidScenario

WORLDS = int(os.environ.get("EVCC_SIM_WORLDS", "0"))


def parameters(name: str) -> st.SearchStrategy[dict[str, float | int | str]]:
    """What a pack's parameters may be."""
    kinds: dict[str, st.SearchStrategy[float | int | str]] = {}
    for key, kind in PACKS[name].parameters.items():
        match kind:
            case Choice(options=options):
                kinds[key] = st.sampled_from(options)
            case Span(low=low, high=high, whole=True):
                kinds[key] = st.integers(int(low), int(high))
            case Span(low=low, high=high):
                kinds[key] = st.floats(low, high).map(lambda value: round(value, 2))
    return st.fixed_dictionaries(kinds)


@pytest.mark.day
@pytest.mark.parametrize("name", sorted(PACKS))
def test_no_invariant_is_violated_in_worlds_of(name: str) -> None:
    @settings(
        max_examples=WORLDS or 2,
        phases=(
            Phase.explicit,
            Phase.generate,
        ),  # a world is named by its parameters; making them smaller takes minutes
        derandomize=not WORLDS,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(values=parameters(name), seed=st.integers(1, 1_000_000))
    def judge(values: dict[str, float | int | str], seed: int) -> None:
        world = PACKS[name].build(values)
        result = simulate(world, seed)
        note(result.replay)
        assert result.violations == ()

    judge()


def test_a_generated_world_is_named_so_that_it_can_be_made_again() -> None:
    for pack in PACKS.values():
        drawn = pack.draw(7)
        again = generate(drawn.name, seed=7)
        assert again == generate(f"@{pack.name}", seed=7)
        assert again.rows == pack.rows


@pytest.mark.day
@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("@any_world:number=11889,faults=some", 473),
        ("@any_world:number=704266,faults=none", 540),
        ("@any_world:number=543620,faults=none", 577),
        ("@any_world:number=593063,faults=some", 759),
    ],
)
def test_random_worlds_in_which_control_or_judge_was_wrong_once(name: str, seed: int) -> None:
    assert simulate(generate(name, seed=seed), seed).violations == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("@any_world:number=0", "@any_world: number=0 is not allowed, only whole numbers 1 to 999999"),
        ("@bad_car:current_min_a=x", "@bad_car: current_min_a=x is not allowed, only 6 to 10"),
        ("@bad_car:phases=2.5", r"car\[0\].phases: 2.5 is not allowed, only 1, 2 or 3"),
        ("@bad_car:api=", "@bad_car: api= is not allowed, only good, down, lying, frozen"),
        ("@n_cars_one_roof:sky=blue", "sky=blue is not allowed, only clear, april, cumulus, overcast"),
        ("@lost_answers:station=eastron-sdm630", "station=eastron-sdm630 is not allowed, only alfen-ng9xx, keba-p30"),
        ("@lost_answers:station=nothing", "station=nothing is not allowed"),
        ("@lying_read_back:world=any_world", "world=any_world is not allowed, only clouds_at_phase_gap"),
    ],
)
def test_what_a_generator_is_told_is_checked(name: str, words: str) -> None:
    with pytest.raises(InvalidScenario, match=words):
        generate(name, seed=1)


def test_what_a_generator_may_be_told_beside_what_it_draws() -> None:
    for name in ("@lost_answers:station=victron-evcs-gx", "@bad_car:sleep_after_s=600"):
        assert generate(name, seed=1).name == name


def test_unknown_generators_and_parameters_are_errors() -> None:
    with pytest.raises(InvalidScenario, match="unknown generator"):
        generate("@nothing", seed=1)
    with pytest.raises(InvalidScenario, match="unknown parameter"):
        generate("@bad_car:wheels=3", seed=1)
