"""The leaderboard: controls in the same worlds with the same seeds, and a page that says who did better, and by what.

`pack` has the worlds, `entrants` who may enter, `runs` lives through one day, `kept` remembers what has been run, `figures` names
what is measured, `verdict` says in words what follows from the figures, `page` writes it all down.
"""
