"""Plugin sources of custom devices, as evcc's users write them: ``source: http | mqtt | modbus | sunspec | const | calc``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from evcc_server.config.problems import expected_one_of
from evcc_server.config.read_address import read_plugin_address
from evcc_server.config.section import Section
from evcc_server.config.sources import (
    CalcOperation,
    CalcSource,
    CombinedSource,
    ConstSource,
    HttpSource,
    ModbusSource,
    MqttSource,
    RegisterAccess,
    RegisterSource,
    Source,
    SunspecSource,
    Triple,
)
from evcc_server.config.yaml_nodes import Items, Scalar, Table
from evcc_server.json_path import PathError, compile_path
from evcc_server.profiles.sunspec_points import point_key
from evcc_server.quoting import quoted
from evcc_server.texts.placeholders import problem_of

_DECODERS: dict[str, tuple[str, int]] = {
    "int16": ("int16", 1),
    "uint16": ("uint16", 1),
    "bool16": ("uint16", 1),
    "int32": ("int32", 2),
    "uint32": ("uint32", 2),
    "int64": ("int64", 4),
    "uint64": ("uint64", 4),
    "float32": ("float32", 2),
    "ieee754": ("float32", 2),
    "float64": ("float64", 4),
}
_ACCESS = {access.value: access for access in RegisterAccess} | {
    "writeholding": RegisterAccess.WRITE_SINGLE,
    "writesingle": RegisterAccess.WRITE_SINGLE,
    "writeregister": RegisterAccess.WRITE_MULTIPLE,
    "coils": RegisterAccess.COIL,
    "discreteinput": RegisterAccess.DISCRETE,
}
_WRITES = frozenset({RegisterAccess.WRITE_SINGLE, RegisterAccess.WRITE_MULTIPLE, RegisterAccess.WRITE_COIL})
_POINT = re.compile(r"\d+:(?:\d+:)?\w+")


def read_source(section: Section, *, sets: str | None = None) -> Source | None:
    """One plugin; None after a problem has been noted. ``sets``: it is written, and that is the name of the value."""
    readers: dict[str, Callable[[Section, str | None], Source | None]] = {
        "const": _const,
        "http": _http,
        "mqtt": _mqtt,
        "modbus": _modbus,
        "sunspec": _sunspec,
        "calc": _calc,
        "combined": _combined,
    }
    if not section.has("source") and section.has("type"):
        kind = section.text("type", default="")
        section.text("source")
    else:
        kind = section.required_text("source", allowed=f"one of {', '.join(sorted(readers))}")
    if not kind:
        return None
    reader = readers.get(kind.casefold())
    if reader is None:
        section.problem("source", f"{quoted(kind)} is not supported, {expected_one_of(kind, readers)}")
        return None
    source = reader(section, sets)
    section.close()
    return source


def optional_source(parent: Section, *keys: str, sets: str | None = None) -> Source | None:
    """The plugin under the first of ``keys``, if there is one. A bare value is a constant."""
    node = parent.node(*keys)
    if isinstance(node, Scalar):
        return ConstSource(value=node.text)
    section = parent.section(*keys)
    return None if section is None else read_source(section, sets=sets)


def optional_number(parent: Section, *keys: str) -> Source | None:
    """As `optional_source`, where a number is wanted."""
    source = optional_source(parent, *keys)
    _check_number(parent, keys[0], source)
    return source


def required_number(parent: Section, *keys: str) -> Source:
    """As `required_source`, where a number is wanted."""
    source = required_source(parent, *keys)
    _check_number(parent, keys[0], source)
    return source


def _check_number(section: Section, key: str, source: Source | None) -> None:
    """A constant is known to be none before anybody asks for it."""
    if isinstance(source, ConstSource) and source.value.strip() and not _is_number(source.value):
        section.problem(key, f"{quoted(source.value)} is not allowed, expected a number")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def required_source(parent: Section, *keys: str, sets: str | None = None) -> Source:
    """As `optional_source`, noting a problem when it is missing."""
    source = optional_source(parent, *keys, sets=sets)
    if source is None:
        if parent.node(*keys) is None:
            parent.problem(keys[0], "missing, expected a plugin (source: ...)")
        return ConstSource(value="")
    return source


def optional_triple(parent: Section, *keys: str) -> Triple | None:
    """Three plugins, for L1, L2 and L3."""
    node = parent.node(*keys)
    if node is None:
        return None
    if not isinstance(node, Items) or len(node.items) != 3 or not all(isinstance(i, Table) for i in node.items):
        parent.problem(keys[0], "expected a list of three plugins, for L1, L2 and L3")
        return None
    sources = tuple(read_source(section) for section in parent.sections(*keys))
    for source in sources:
        _check_number(parent, keys[0], source)
    first, second, third = sources
    if first is None or second is None or third is None:
        return None
    return first, second, third


def _const(section: Section, sets: str | None) -> Source | None:
    value = section.text("value")
    if value is None and sets is None:
        section.problem("value", "missing, expected a value")
        return None
    return ConstSource(value=value or "")


def _http(section: Section, sets: str | None) -> Source | None:
    uri = section.required_text("uri", "url", allowed="an address such as http://host/path")
    if uri and not re.match(r"https?://[^\s/]+", uri):
        section.problem("uri", f"{_shown(uri)} is no address, expected http://host/path or https://host/path")
    user, password, token = section.text("user"), section.text("password"), section.text("token")
    auth = section.section("auth")
    if auth is not None:
        kind = auth.word("type", ("basic", "bearer"), default="basic")
        auth_user, auth_password, auth_token = auth.text("user"), auth.text("password"), auth.text("token")
        auth.close()
        user, password = user or auth_user, password or auth_password
        token = token or auth_token
        if kind == "bearer":
            token, password = token or password, None
            if not token:
                auth.problem("token", "missing, expected the bearer token")
    body = section.text("body")
    _check_text(section, "uri", uri, sets)
    _check_text(section, "body", body, sets)
    return HttpSource(
        uri=uri,
        method=section.word("method", ("GET", "POST", "PUT", "PATCH", "DELETE"), default="POST" if body else "GET")
        or "GET",
        headers=_headers(section),
        user=user,
        password=password,
        token=token,
        body=body,
        jq=_jq(section),
        scale=_scale(section),
        timeout=_timeout(section),
        cache=section.duration("cache", default=timedelta(0)),
        is_insecure=section.boolean("insecure", default=False),
    )


def _mqtt(section: Section, sets: str | None) -> Source | None:
    topic = section.required_text("topic", allowed="an MQTT topic")
    if topic and (len(topic.encode()) > 65535 or "\0" in topic or "#" in topic or "+" in topic):
        section.problem("topic", f"{quoted(topic)} is no topic, expected one without # and +")
    if section.has("broker"):
        section.text("broker")
        section.problem("broker", "a plugin's own broker is not supported; the one of the section mqtt is used")
    payload = section.text("payload")
    if payload is not None and sets is None:
        section.problem("payload", "only for what is written, such as enable and maxcurrent")
    else:
        _check_text(section, "payload", payload, sets)
    if sets is None:
        _check_fixed(section, "topic", topic)
    else:
        _check_text(section, "topic", topic, sets)
    return MqttSource(
        topic=topic,
        payload=payload,
        jq=_jq(section),
        scale=_scale(section),
        timeout=_timeout(section),
        is_retained=section.boolean("retained", default=False),
    )


def _modbus(section: Section, sets: str | None) -> Source | None:
    if section.has("model"):
        if section.text("model", default="").casefold() == "sunspec":
            instead = "write source: sunspec with the same uri, id and value"
        else:
            instead = "use type: template, or give register"
        section.problem("model", f"not supported in a plugin, {instead}")
        section.close_quietly()
        return None
    address = read_plugin_address(section)
    unit = section.integer("id", default=1, low=0, high=255)
    register_section = section.section("register")
    if register_section is None:
        if section.node("register") is None:
            section.problem("register", "missing, expected address, type and decode")
        return None
    register = _register(register_section, is_setter=sets is not None)
    scale, timeout = _scale(section), _timeout(section)
    if address is None or register is None:
        return None
    return ModbusSource(address=address, unit=unit, register=register, scale=scale, timeout=timeout)


def _register(section: Section, *, is_setter: bool) -> RegisterSource | None:
    address = section.integer("address", low=0, high=65535)
    if address is None and section.node("address") is None:
        section.problem("address", "missing, expected a register number from 0 to 65535")
    access_word = section.word("type", _ACCESS, default="writesingle" if is_setter else "holding") or "holding"
    access = _ACCESS[access_word]
    if is_setter != (access in _WRITES):
        wanted = "writesingle, writemultiple or writecoil" if is_setter else "holding, input, coil or discrete"
        section.problem("type", f"{access_word} is not possible here, expected {wanted}")
        return None
    is_bit = access in (RegisterAccess.COIL, RegisterAccess.DISCRETE, RegisterAccess.WRITE_COIL)
    decode = (section.text("decode", "encoding") or ("bool" if is_bit else "uint16")).casefold()
    mask = section.integer("bitmask", "mask", low=1, high=0xFFFF)
    section.close()
    if address is None:
        return None
    if is_bit:
        if decode != "bool":
            section.problem("decode", f"{quoted(decode)} is not possible for a coil")
            return None
        return RegisterSource(address=address, access=access, data_type="bool", count=1)
    has_sentinel = decode.endswith("nan")
    word = decode.removesuffix("nan")
    is_low_first = word not in _DECODERS and word.endswith("s") and word[:-1] in _DECODERS
    known = _DECODERS.get(word[:-1] if is_low_first else word)
    if known is None:
        section.problem(
            "decode", f"{quoted(decode)} is not known, {expected_one_of(decode, _DECODERS)} (s: low word first)"
        )
        return None
    return RegisterSource(
        address=address,
        access=access,
        data_type=known[0],
        count=known[1],
        is_low_word_first=is_low_first,
        has_sentinel=has_sentinel,
        mask=mask,
    )


def _sunspec(section: Section, sets: str | None) -> Source | None:
    address = read_plugin_address(section)
    unit = section.integer("id", default=1, low=0, high=255)
    subdevice = section.integer("subdevice", default=0, low=0, high=20)
    points = section.texts("value")
    scale, timeout = _scale(section), _timeout(section)
    if not points:
        section.problem("value", "missing, expected a point such as 103:W")
    for point in points:
        if _POINT.fullmatch(point):
            if point_key(point) is None:
                section.problem(
                    "value",
                    f"{quoted(point)} is not known, neither this device list nor SunSpec's common models have it",
                )
        else:
            section.problem(
                "value", f"{quoted(point)} is no point, expected model:point or model:block:point, such as 160:1:DCW"
            )
    if sets is not None:
        section.problem("source", "sunspec can only be read here; write with source: modbus")
    if address is None or not points:
        return None
    return SunspecSource(address=address, unit=unit, points=points, subdevice=subdevice, scale=scale, timeout=timeout)


def _calc(section: Section, sets: str | None) -> Source | None:
    if sets is not None:
        section.problem("source", "calc can only be read")
    given = [operation for operation in CalcOperation if section.has(operation.value)]
    names = ", ".join(operation.value for operation in CalcOperation)
    if len(given) != 1:
        for operation in CalcOperation:
            section.node(operation.value)
        section.problem("", f"expected exactly one of {names}")
        return None
    operation = given[0]
    operands = tuple(read_source(operand) for operand in section.sections(operation.value))
    scale = _scale(section)
    is_unary = operation in (CalcOperation.ABS, CalcOperation.SIGN)
    if is_unary and len(operands) != 1:
        section.problem(operation.value, "expected one plugin")
        return None
    if not operands or (operation is CalcOperation.DIV and len(operands) != 2):
        section.problem(operation.value, "expected two plugins" if operands else "expected a list of plugins")
        return None
    complete = tuple(operand for operand in operands if operand is not None)
    for operand in complete:
        _check_number(section, operation.value, operand)
    if len(complete) != len(operands):
        return None
    return CalcSource(operation=operation, operands=complete, scale=scale)


def _combined(section: Section, sets: str | None) -> Source | None:
    if sets is not None:
        section.problem("source", "combined can only be read")
    return CombinedSource(plugged=required_source(section, "plugged"), charging=required_source(section, "charging"))


def _scale(section: Section) -> float:
    scale = section.number("scale", default=1.0)
    if scale == 0:
        section.problem("scale", "must not be 0")
    return scale


def _timeout(section: Section) -> timedelta | None:
    return section.duration("timeout", low=timedelta(milliseconds=1))


def _jq(section: Section) -> str:
    path = section.text("jq", "jsonpath", default="")
    try:
        compile_path(path)
    except PathError as error:
        section.problem("jq", str(error))
        return ""
    return path


def _headers(section: Section) -> Mapping[str, str]:
    headers = section.pairs("headers")
    for name, value in headers.items():
        _check_fixed(section, "headers", value, what=name)
    return headers


def _check_text(section: Section, key: str, text: str | None, sets: str | None) -> None:
    """What stands in ``text`` for a value must be known now, so that it is never sent as it stands."""
    problem = problem_of(text or "", sets)
    if problem is not None:
        section.problem(key, problem)


def _check_fixed(section: Section, key: str, text: str, *, what: str = "it") -> None:
    """As `_check_text`, where nothing is ever put in."""
    if problem_of(text, None) is not None or "{{" in text:
        section.problem(key, f"{what} stays as it stands; ${{...}} and {{{{...}}}} are for uri, body and payload")


def _shown(uri: str) -> str:
    return quoted(uri.split("?")[0].split("@")[-1])
