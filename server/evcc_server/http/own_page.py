"""``--ui DIR``: the files of a directory in place of our page, ``index.html`` with its placeholders filled in [http-ui]."""

from __future__ import annotations

import html
import re
from mimetypes import guess_type
from pathlib import Path

import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.security import safe_join

from evcc_server.http.route import Refused

_INDEX = "index.html"
_PLACEHOLDER = re.compile(rb"\[\[\s*\.(\w+)\s*\]\]")


def add_own_page(app: QuartTrio, directory: Path, *, version: str) -> None:
    """Serve ``directory``; a folder means its ``index.html``. Browsers ask each time whether a file is still the same."""
    words = {b"Version": html.escape(version).encode(), b"Configured": b"true"}

    async def file(name: str = "") -> Response:
        try:
            path = await _found(directory, name)
            content = await path.read_bytes()
        except (OSError, ValueError):  # there is none, or there can be none of this name
            raise Refused(404, "not found") from None
        if path.name == _INDEX:
            content = _PLACEHOLDER.sub(lambda found: words.get(found[1], b""), content)
        response = Response(content, 200, mimetype=guess_type(path.name)[0] or "application/octet-stream")
        response.headers["Cache-Control"] = "no-cache"
        await response.add_etag()
        await response.make_conditional(request, accept_ranges=True, complete_length=len(content))
        return response

    app.add_url_rule("/", "ui", file)
    app.add_url_rule("/<path:name>", "ui file", file)


async def _found(directory: Path, name: str) -> trio.Path:
    """The file that ``name`` means. Raises `OSError` or `ValueError` if there is none within ``directory``."""
    root = await trio.Path(directory).resolve()
    joined = safe_join(str(root), name)
    if joined is None:
        raise ValueError(name)
    path = trio.Path(joined)
    if await path.is_dir():
        path = path / _INDEX
    if not await path.is_file() or not (await path.resolve()).is_relative_to(root):
        raise ValueError(name)
    return path
