"""What holds on every path: methods, CORS, origins, tokens, compression, slashes, bodies, errors."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio
import trio.testing
from api_home import Served, served
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trio_test import in_real_time, orders

from evcc_server.http.home import ApiOptions
from evcc_server.http.who_may_call import CallRules

pytestmark = pytest.mark.wire

OWN = "http://127.0.0.1:{port}"
FOREIGN = "https://evil.example"


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes, read the answer until the server closes or is silent for a moment."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(request)
        answer = b""
        with trio.move_on_after(5):
            while chunk := await stream.receive_some(65536):
                answer += chunk
                head, found, body = answer.partition(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if found and length and len(body) >= int(length[0].split(b":")[1]):
                    break
        return answer


@pytest.mark.api("http-method", "DEV-7")
@in_real_time
async def test_a_wrong_method_names_the_right_ones() -> None:
    async with served() as api:
        response = await api.get("/api/loadpoints/1/mode/pv")
        assert (response.status_code, response.json()) == (405, {"error": "method not allowed"})
        assert response.headers["allow"] == "OPTIONS, POST"
        assert (await api.client.put("/api/state")).headers["allow"] == "GET, HEAD, OPTIONS"
        assert (await api.delete("/api/health")).status_code == 405


@pytest.mark.api("http-unknown", "DEV-7")
@in_real_time
async def test_an_unknown_path_is_a_json_404() -> None:
    async with served() as api:
        for path in ("/api/nothing", "/api", "/nothing", "/api/loadpoints/1", "/api/loadpoints/1/mode"):
            await api.refuses("GET", path, 404, "not found")


@pytest.mark.api("http-errors")
@in_real_time
async def test_the_status_line_has_words_and_headers_their_usual_case() -> None:
    async with served() as api:
        for path, status in (
            ("/api/state", b"200 OK"),
            ("/api/tariff/none", b"404 Not Found"),
            ("/api/loadpoints/1/mode/pv", b"405 Method Not Allowed"),
        ):
            head, _, _ = (await raw(api.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).partition(
                b"\r\n\r\n"
            )
            assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
            assert b"\r\nContent-Type: application/json; charset=UTF-8\r\n" in head
            assert b"\r\nContent-Length: " in head


@pytest.mark.api("http-errors", "DEV-7")
@pytest.mark.parametrize(
    ("request_head", "status", "text"),
    [
        (b"GET /api/state HTTP/1.1", 400, "bad request"),  # no Host
        (b"what is this", 400, "bad request"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x", 431, "request header fields too large"),
    ],
)
@in_real_time
async def test_what_is_no_request_gets_an_error_in_json_too(request_head: bytes, status: int, text: str) -> None:
    async with served() as api:
        head, _, body = (await raw(api.port, request_head + b"\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"\r\nContent-Type: application/json; charset=UTF-8\r\n" in head
        assert body == f'{{"error":"{text}"}}\n'.encode()


@pytest.mark.api("http-head")
@in_real_time
async def test_head_is_get_without_a_body() -> None:
    async with served() as api:
        response = await api.client.head("/api/state", headers={"Accept-Encoding": "identity"})
        assert (response.status_code, response.content) == (200, b"")
        assert int(response.headers["content-length"]) > 1000


@pytest.mark.api("http-slash", "DEV-6")
@pytest.mark.parametrize(
    "path", ["/api/loadpoints/1/mode/now/", "//api/loadpoints//1/mode/now", "/api/loadpoints/1/mode/now//"]
)
@in_real_time
async def test_superfluous_slashes_are_served_without_a_redirect(path: str) -> None:
    async with served() as api:
        answer = await raw(api.port, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b'{"result":"now"}\n')


@pytest.mark.api("http-cors", "DEV-5")
@in_real_time
async def test_preflight_names_the_methods_of_the_path() -> None:
    async with served() as api:
        response = await api.client.options("/api/loadpoints/1/vehicle", headers={"Origin": FOREIGN})
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-methods"] == "DELETE, OPTIONS, PATCH"
        assert "Content-Type" in response.headers["access-control-allow-headers"]
        for path in ("/api/state", "/api/openapi.json", "/api/docs", "/api/docs.js", "/api/ws"):
            response = await api.client.options(path)
            assert (response.status_code, response.content) == (204, b"")
            assert response.headers["access-control-allow-origin"] == "*"
            assert response.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"


@pytest.mark.api("http-cors")
@in_real_time
async def test_reading_is_open_to_every_origin_also_in_errors() -> None:
    async with served() as api:
        for path in ("/api/state", "/api/health", "/api/nothing", "/api/tariff/co2", "/api/loadpoints/1/mode/pv"):
            response = await api.get(path, headers={"Origin": FOREIGN})
            assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-origin" not in (await api.get("/api/state")).headers


@pytest.mark.api("http-origin")
@in_real_time
async def test_a_foreign_page_changes_nothing() -> None:
    async with served() as api:
        for origin in (FOREIGN, "null", "http://127.0.0.1:1", "http://127.0.0.1", "http://[::1", "file://x"):
            await api.refuses("POST", "/api/residualpower/5", 403, "origin", headers={"Origin": origin})
            await api.refuses("DELETE", "/api/loadpoints/1/vehicle", 403, "origin", headers={"Origin": origin})
        own = await api.post("/api/residualpower/5", headers={"Origin": OWN.format(port=api.port)})
        assert own.status_code == 200
    for allowed in (FOREIGN, "*"):
        async with served(options=ApiOptions(allowed_origins=frozenset({allowed}))) as api:
            response = await api.post("/api/residualpower/5", headers={"Origin": FOREIGN})
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.api("http-token")
@in_real_time
async def test_with_a_token_writing_needs_it_and_reading_does_not() -> None:
    async with served(options=ApiOptions(token="hemmelig")) as api:
        assert (await api.get("/api/state")).status_code == 200
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic hemmelig"}):
            await api.refuses("POST", "/api/residualpower/5", 401, "token", headers=header)
        response = await api.post("/api/residualpower/5", headers={"Authorization": "Bearer hemmelig"})
        assert response.status_code == 200


@pytest.mark.api("http-token")
@in_real_time
async def test_without_a_token_this_machine_may_write() -> None:
    async with served(options=ApiOptions(is_local_only=True)) as api:
        assert (await api.post("/api/residualpower/5")).status_code == 200


@pytest.mark.api("http-proxy")
@in_real_time
async def test_who_is_refused_reads_the_cure_and_the_owner_reads_it_once(caplog: pytest.LogCaptureFixture) -> None:
    proxy = (ip_network("127.0.0.1"),)
    async with served(options=ApiOptions(is_local_only=True)) as api:
        for _ in range(3):
            for forwarded in ("127.0.0.1", "198.51.100.7"):
                header = {"X-Forwarded-For": forwarded}
                await api.refuses("POST", "/api/residualpower/5", 403, "set auth in evcc.yaml", headers=header)
        assert [record.getMessage().split(":")[0] for record in caplog.records] == ["127.0.0.1 is refused"]
        assert (await api.post("/api/residualpower/5")).status_code == 200
    caplog.clear()
    async with served(options=ApiOptions(is_local_only=True, trusted_proxies=proxy)) as api:
        for forwarded in ("127.0.0.1", "198.51.100.7", "198.51.100.7"):
            header = {"X-Forwarded-For": forwarded}
            await api.refuses("POST", "/api/residualpower/5", 403, "set auth in evcc.yaml", headers=header)
        await api.refuses("POST", "/api/residualpower/5", 403, "set auth in evcc.yaml")
        clients = [record.getMessage().split(" ")[0] for record in caplog.records]
        assert clients == ["127.0.0.1", "198.51.100.7"]


@pytest.mark.api("http-origin")
def test_a_page_that_made_its_name_point_here_is_foreign() -> None:
    rebound = {"Origin": "http://evil.example:7070", "Host": "evil.example:7070"}
    assert not CallRules(is_local_only=True).trusts_origin(rebound, "http")
    for host in ("127.0.0.1:7070", "localhost:7070", "[::1]:7070"):
        assert CallRules(is_local_only=True).trusts_origin({"Origin": f"http://{host}", "Host": host}, "http")


@pytest.mark.api("http-origin")
def test_a_page_behind_a_proxy_that_speaks_tls_is_ours() -> None:
    proxied = {"Origin": "https://home.example", "Host": "home.example"}
    for scheme in ("http", "https", "ws", "wss"):
        assert CallRules(token="x").trusts_origin(proxied, scheme)
        assert not CallRules(token="x").trusts_origin({**proxied, "Host": "other.example"}, scheme)
        assert not CallRules(token="x").trusts_origin({**proxied, "Host": "home.example:7070"}, scheme)


@pytest.mark.api("http-token")
def test_other_machines_may_write_only_when_the_owner_says_so() -> None:
    for address, is_here in (
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
    ):
        assert CallRules(is_local_only=True).trusts_peer(address) is is_here
        assert CallRules(is_local_only=False).trusts_peer(address)


@pytest.mark.api("http-compression")
@in_real_time
async def test_answers_are_compressed_as_the_client_likes() -> None:
    async with served() as api:
        plain = await api.get("/api/state", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == "Accept-Encoding"
        assert plain.headers["cache-control"] == "no-store"
        assert "etag" not in plain.headers
        for asked, given_encoding in (
            ("gzip", "gzip"),
            ("deflate", "deflate"),
            ("gzip;q=1.0", "gzip"),
            ("gzip;q=0.1, deflate;q=0.9", "deflate"),
            ("gzip;q=0, deflate;q=0", None),
            ("br", None),
        ):
            answer = await raw(
                api.port, f"GET /api/state HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {asked}\r\n\r\n".encode()
            )
            head, _, body = answer.partition(b"\r\n\r\n")
            if given_encoding is None:
                assert b"Content-Encoding" not in head
            else:
                assert f"Content-Encoding: {given_encoding}".encode() in head
                body = gzip.decompress(body) if given_encoding == "gzip" else zlib.decompress(body)
            assert body == plain.content


@pytest.mark.api("http-body")
@in_real_time
async def test_bodies_of_setters_are_ignored() -> None:
    async with served() as api:
        for body in (b"", b"{", b"\xff" * 1000, b'{"mode":"off"}'):
            response = await api.client.request("POST", "/api/loadpoints/1/mode/now", content=body)
            assert response.text == '{"result":"now"}\n'
        response = await api.client.request("DELETE", "/api/loadpoints/1/target/time", content=b"[")
        assert response.status_code == 200


@pytest.mark.api("http-body")
@in_real_time
async def test_a_connection_is_kept_when_bodies_arrive_after_their_heads() -> None:
    requests = [
        ("POST", "/api/residualpower/5", 200),
        ("QUERY", "/api/session/1", 405),
        ("POST", "/api/nothing", 404),
        ("PUT", "/api/session/1", 400),
        ("GET", "/api/health", 200),
        ("POST", "/api/loadpoints/1/mode/foo", 400),
    ]
    async with served() as api, await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
        for method, path, status in requests * 3:
            await stream.send_all(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".encode())
            for _ in range(3):
                await trio.testing.wait_all_tasks_blocked(0.005)  # let the server see the head alone
            await stream.send_all(b"hello")
            answer = b""
            with trio.fail_after(5):
                while not answer.endswith((b"}\n", b"OK\n")):
                    answer += await stream.receive_some()
            assert answer.startswith(f"HTTP/1.1 {status}".encode())


@pytest.mark.api("http-body")
@in_real_time
async def test_a_body_that_is_too_large_is_refused() -> None:
    async with served() as api:
        await api.refuses("POST", "/api/loadpoints/1/mode/now", 413, "too large", content=b"x" * 100_000)
        await api.refuses("PUT", "/api/session/1", 413, "too large", content=b"x" * 100_000)
        chunked = b"PUT /api/session/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = b"".join(b"4000\r\n" + b"x" * 0x4000 + b"\r\n" for _ in range(5)) + b"0\r\n\r\n"
        assert (await raw(api.port, chunked + chunks)).startswith(b"HTTP/1.1 413")


@pytest.mark.api("http-errors")
@in_real_time
async def test_the_database_failing_is_said_and_not_a_traceback() -> None:
    async with served() as api:
        assert api.store is not None
        await api.store.close()
        await api.refuses("POST", "/api/telemetry/true", 503, "database failed")


@pytest.mark.api("http-page", "row-33")
@in_real_time
async def test_the_page_and_its_files() -> None:
    async with served() as api:
        page = await api.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "evcc-app-compatible" in page.text
        for path in ("/app.js", "/style.css", "/api/docs", "/api/docs.js"):
            response = await api.get(path)
            assert response.status_code == 200
            assert "http://" not in response.text.replace("http://www.w3.org/2000/svg", "")
            again = await api.get(path, headers={"If-None-Match": response.headers["etag"]})
            assert again.status_code == 304
        assert 'href="api/docs"' in page.text
        # evcc's app covers the page, and loads it anew for ever, until the page says this
        assert "window.ReactNativeWebView?.postMessage" in (await api.get("/app.js")).text


@pytest.mark.api("http-ui", "row-33")
@in_real_time
async def test_a_directory_is_served_in_place_of_the_page(tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    ui = tmp_path / "ui"
    (ui / "assets").mkdir(parents=True)
    (ui / "index.html").write_text("<title>mine</title>")
    (ui / "assets" / "main.js").write_text("1")
    (ui / "link.txt").symlink_to(outside)
    async with served(options=ApiOptions(ui=ui)) as api:
        assert (await api.get("/")).text == "<title>mine</title>"
        script = await api.get("/assets/main.js")
        assert script.text == "1"
        assert "javascript" in script.headers["content-type"]
        assert (await api.get("/app.js")).status_code == 404
        assert (await api.get("/assets")).status_code == 404
        assert (await api.get("/link.txt")).status_code == 404
        for path in ("/../secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt"):
            answer = await raw(api.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b"secret" not in answer
            assert answer.startswith(b"HTTP/1.1 404")
        for path in ("/" + "x" * 5000, "/" + "x/" * 3000, "/%00", "/%ff", "/%ed%a0%80", "http://[::/index.html"):
            answer = await raw(api.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 404")
            assert answer.endswith(b'{"error":"not found"}\n')
        assert (await api.get("/api/state")).status_code == 200
        assert (await api.get("/api/docs")).status_code == 200


@pytest.mark.api("http-ui", "row-33")
@in_real_time
async def test_the_page_of_the_original_is_told_the_version_and_asked_for_anew(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<script>v = 'v[[.Version]]'; c = '[[ .Commit ]]'; list = [[1], [2]]</script>")
    (tmp_path / "main.js").write_text("'[[.Version]]'")
    async with served(options=ApiOptions(ui=tmp_path)) as api:
        page = await api.get("/")
        assert page.text == "<script>v = 'v0.114.1 (evcclib test)'; c = ''; list = [[1], [2]]</script>"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        script = await api.get("/main.js")
        assert script.text == "'[[.Version]]'"
        for path, response in (("/", page), ("/main.js", script)):
            assert response.headers["cache-control"] == "no-cache"
            assert "expires" not in response.headers
            again = await api.get(path, headers={"If-None-Match": response.headers["etag"]})
            assert again.status_code == 304
        (tmp_path / "main.js").write_text("'a new one'")
        assert (await api.get("/main.js", headers={"If-None-Match": script.headers["etag"]})).text == "'a new one'"


HELLOS = (
    b"GET /api/state HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /api/loadpoints/1/mode/pv HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    # A frame that does not wait for the handshake's answer brings hypercorn and h11 out of step.
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x82\x00\x00\x00\x00{}",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/state?%ff=%fe HTTP/1.1\r\nHost: x\r\nAccept-Language: \xff;q=z\r\nAccept-Encoding: ;;q\r\n\r\n",
    b"GET /%00%ff/.. HTTP/1.1\r\nHost: \xff\r\nOrigin: \xff\r\n\r\n",
    b"POST /api/residualpower/5 HTTP/1.1\r\nHost: [::1\r\nOrigin: http://[::1\r\nContent-Length: 0\r\n\r\n",
    b"PUT /api/session/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
)


@pytest.mark.api("http-errors")
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(
    orders,
    st.lists(
        st.tuples(st.sampled_from(HELLOS), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4)),
        max_size=20,
    ),
)
@example(0, [(hello, []) for hello in HELLOS])
@in_real_time
async def test_garbage_ends_its_connection_and_nothing_else(
    order: int, tries: list[tuple[bytes, list[tuple[int, int]]]]
) -> None:
    async with served() as api:
        for hello, changes in tries:
            data = bytearray(hello)
            for place, byte in changes:
                data[place % len(data)] = byte
            async with await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
                await stream.send_all(data)
                with trio.move_on_after(0.05), contextlib.suppress(OSError, trio.BrokenResourceError):
                    answer = await stream.receive_some()
                    assert not answer.startswith(b"HTTP/1.1 500")
        assert (await api.get("/api/health")).status_code == 200


@in_real_time
async def test_a_whole_address_in_the_request_line_is_understood() -> None:
    async with served() as api:
        answer = await raw(api.port, b"GET http://x/api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"OK\n")
        for address in (b"http://[::/api/health", b"http://[/api/health", b"http://]/", b"http://[::1]:x/api/health"):
            answer = await raw(api.port, b"GET " + address + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 200"))


@pytest.mark.api("row-22")
@in_real_time
async def test_letters_beyond_ascii_need_not_be_quoted() -> None:
    """curl sends them as they were typed."""
    async with served() as api:
        for head in ("Host: x", "Host: x\r\nContent-Length: 2"):
            request = f"POST /api/loadpoints/1/vehicle/weißes%20Model%203 HTTP/1.1\r\n{head}\r\n\r\n"
            body = b"\xc3\xa4" if "Length" in head else b""
            answer = await raw(api.port, request.encode() + body)
            assert answer.endswith('{"result":{"vehicle":"weißes Model 3"}}\n'.encode())


PATHS = st.sampled_from(
    [
        "/api/loadpoints/1/{}",
        "/api/loadpoints/{}/mode/pv",
        "/api/loadpoints/1/mode/{}",
        "/api/loadpoints/1/mincurrent/{}",
        "/api/loadpoints/1/target/time/{}",
        "/api/loadpoints/1/target/plan?targetTime={}",
        "/api/loadpoints/1/vehicle/{}",
        "/api/vehicles/{}/minsoc/10",
        "/api/session/{}",
        "/api/sessions?year={}",
        "/api/sessions?format=csv&lang={}",
        "/api/sessions?year=2023&month={}",
        "/api/tariff/{}",
        "/api/residualpower/{}",
        "/{}",
    ]
)


@pytest.mark.api("http-errors")
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    orders,
    st.lists(
        st.tuples(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]), PATHS, st.binary(max_size=20)),
        min_size=20,
        max_size=20,
    ),
)
@in_real_time
async def test_no_path_gets_a_500(order: int, tries: list[tuple[str, str, bytes]]) -> None:
    async with served() as api:
        for method, path, value in tries:
            await _try(api, method, path, value)


async def _try(api: Served, method: str, path: str, value: bytes) -> None:
    quoted = "".join(f"%{byte:02x}" for byte in value)
    head = f"{method} {path.format(quoted)} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    answer = await raw(api.port, head.encode())
    status = int(answer.split(b" ", 2)[1])
    assert 200 <= status < 500, answer
    if status >= 400:
        assert list(json.loads(answer.partition(b"\r\n\r\n")[2])) == ["error"]
