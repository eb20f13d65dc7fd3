"""What a rival has decided in a tick, and what its model does."""

from __future__ import annotations

from typing import Any, NamedTuple


class Pair(NamedTuple):
    """``wanted`` is recorded, ``got`` the model's."""

    wanted: Any
    got: Any
