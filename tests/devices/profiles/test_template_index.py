"""Template names lead to the same profiles whether all of them are read or only the candidates."""

from __future__ import annotations

from evcc_server.profiles import profile as profiles
from evcc_server.profiles.template_index import profiles_for


def test_every_name_of_every_profile_leads_to_it() -> None:
    for profile in profiles.all_profiles():
        for name in (profile.id, *profile.templates):
            assert profiles_for(name) == profiles_for(name.upper())
            assert {p.id for p in profiles_for(name)} == {
                p.id for p in profiles.all_profiles() if name in (p.id, *p.templates)
            }


def test_parts_of_names_lead_nowhere() -> None:
    assert profiles_for("east") == ()
    assert profiles_for("") == ()
