"""A serial port as a byte stream: non-blocking, cancellable, without threads. POSIX only.

Between frames the line stays silent for 3.5 characters, at least 1.75 ms, as the RTU protocol demands.
"""

from __future__ import annotations

import fcntl
import os
import termios

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream

BITS_PER_CHARACTER = 11
SILENCE_MIN_S = 0.00175
SETTLE_S = 0.05  # adapters hand over what they received only so often


def baud_constant(baudrate: int) -> int:
    """termios' name for ``baudrate``. Raises `ValueError` for one that no port has."""
    constant = getattr(termios, f"B{baudrate}", None)
    if not isinstance(constant, int):
        raise ValueError(f"{baudrate} is not a baud rate of serial ports")
    return constant


def control_flags(comset: str) -> int:
    """termios control flags for 8N1, 8E1, 8O1, 8N2 and so on. Raises `ValueError`."""
    comset = comset.strip().upper()
    if len(comset) != 3 or comset[0] not in "78" or comset[1] not in "NEO" or comset[2] not in "12":
        raise ValueError(f"{comset!r} is not a serial setting such as 8N1")
    flags = termios.CREAD | termios.CLOCAL | (termios.CS8 if comset[0] == "8" else termios.CS7)
    if comset[1] != "N":
        flags |= termios.PARENB | (termios.PARODD if comset[1] == "O" else 0)
    return flags | (termios.CSTOPB if comset[2] == "2" else 0)


class SerialStream(ByteStream):
    """An open tty. Made by `open_serial`."""

    def __init__(self, fd: int, baudrate: int) -> None:
        self._fd = fd
        self._silence_s = max(SILENCE_MIN_S, 3.5 * BITS_PER_CHARACTER / baudrate)
        self._character_s = BITS_PER_CHARACTER / baudrate
        self._quiet_since = 0.0

    async def receive(self, max_bytes: int = 512) -> bytes:
        """What has arrived, at least one byte. Raises `anyio.EndOfStream`, `BrokenResourceError`, `ClosedResourceError`."""
        await anyio.lowlevel.checkpoint()
        while True:
            self._check_open()
            try:
                data = os.read(self._fd, max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self._fd)
                continue
            except OSError as error:
                raise anyio.BrokenResourceError from error
            if not data:
                raise anyio.EndOfStream
            self._quiet_since = anyio.current_time()
            return data

    async def send(self, item: bytes) -> None:
        """Send a frame once the line has been silent long enough; returns when the port has taken all of it."""
        self._check_open()
        await anyio.sleep_until(self._quiet_since + self._silence_s)
        rest = memoryview(item)
        while rest:
            self._check_open()
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._fd)
            except OSError as error:
                raise anyio.BrokenResourceError from error
        self._quiet_since = anyio.current_time() + len(item) * self._character_s

    async def resync(self) -> None:
        """Throw away what was not sent yet, and what arrives until the line is silent."""
        self._check_open()
        termios.tcflush(self._fd, termios.TCOFLUSH)
        quiet_s = max(self._silence_s, SETTLE_S)
        while True:
            with anyio.move_on_after(quiet_s) as scope:
                await self.receive()
            if scope.cancelled_caught:
                break
        self._check_open()
        termios.tcflush(self._fd, termios.TCIFLUSH)

    async def send_eof(self) -> None:
        """A serial line has no end of stream."""
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Give the port back; whoever waits for it gets `ClosedResourceError`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            anyio.notify_closing(fd)
            os.close(fd)
        await anyio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._fd < 0:
            raise anyio.ClosedResourceError


async def open_serial(device: str, baudrate: int, comset: str = "8N1") -> SerialStream:
    """Open ``device`` for ourselves alone. Raises OSError when there is none, `ValueError` for impossible settings."""
    speed, flags = baud_constant(baudrate), control_flags(comset)
    await anyio.lowlevel.checkpoint()
    fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        control_chars = termios.tcgetattr(fd)[6]
        control_chars[termios.VMIN], control_chars[termios.VTIME] = 1, 0
        termios.tcsetattr(fd, termios.TCSANOW, [0, 0, flags, 0, speed, speed, control_chars])
        fcntl.ioctl(fd, termios.TIOCEXCL)
        termios.tcflush(fd, termios.TCIOFLUSH)
    except (OSError, termios.error) as error:
        os.close(fd)
        raise OSError(f"{device}: {error}") from error
    return SerialStream(fd, baudrate)
