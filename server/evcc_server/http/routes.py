"""The whole REST API: one table."""

from __future__ import annotations

from evcc_server.http.battery_routes import battery_routes
from evcc_server.http.device_routes import device_routes
from evcc_server.http.history_routes import history_routes
from evcc_server.http.home import Home
from evcc_server.http.operator_limit_routes import operator_limit_routes
from evcc_server.http.plan_routes import plan_routes
from evcc_server.http.reason_routes import reason_routes
from evcc_server.http.route import Route
from evcc_server.http.session_routes import session_routes
from evcc_server.http.setting_routes import setting_routes
from evcc_server.http.state_routes import state_routes


def api_routes(home: Home) -> tuple[Route, ...]:
    """Every route of ``/api``."""
    return (
        *state_routes(home),
        *reason_routes(home),
        *setting_routes(home),
        *plan_routes(home),
        *operator_limit_routes(home),
        *battery_routes(home),
        *session_routes(home),
        *history_routes(home),
        *device_routes(),
    )
