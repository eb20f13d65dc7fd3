"""The tree of filters finds whom going through all of them finds, and forgets what is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcc_server.mqtt.filters import Filters
from evcc_server.mqtt.sessions import Allowance, Limits
from evcc_server.mqtt.topics import is_filter, matches

LEVEL = st.sampled_from(["a", "b", "", "+", "#", "$x"])
FILTER = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(is_filter)
TOPIC = st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=4).map("/".join)
CHANGE = st.tuples(st.booleans(), FILTER, st.sampled_from("uvw"), st.integers(0, 2))


@given(st.lists(CHANGE, max_size=30), st.lists(TOPIC, max_size=10))
def test_it_finds_what_going_through_all_filters_finds(
    changes: list[tuple[bool, str, str, int]], topics: list[str]
) -> None:
    tree: Filters[str] = Filters()
    plain: dict[tuple[str, str], int] = {}
    for is_put, text, holder, qos in changes:
        if is_put:
            tree.put(text, holder, qos)
            plain[text, holder] = qos
        else:
            tree.drop(text, holder)
            plain.pop((text, holder), None)
    assert len(tree) == len(plain)
    for topic in topics:
        wanted = {
            holder: max(qos for (text, other), qos in plain.items() if other == holder and matches(topic, text))
            for text_, holder in plain
            if matches(topic, text_)
        }
        assert tree.holders(topic) == wanted
    for text, holder in plain:
        tree.drop(text, holder)
    assert (len(tree), tree._top.below) == (0, {})


def test_all_below_a_level_includes_the_level() -> None:
    tree: Filters[str] = Filters()
    tree.put("a/#", "u", 1)
    assert tree.holders("a") == tree.holders("a/b/c") == {"u": 1}
    assert tree.holders("b") == tree.holders("ab") == {}


def test_an_allowance_comes_back_with_time() -> None:
    allowance = Allowance(Limits(commands=2, commands_per_s=0.5), 100.0)
    assert [allowance.allows(at_s) for at_s in (100, 100, 100, 101, 102, 102, 200, 200, 200)] == [
        *(True, True, False, False, True, False),
        *(True, True, False),
    ]
    assert allowance.dropped == 4
