"""An HTTP client that costs little: requests made before, sockets kept open, answers only looked at."""

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Load:
    """What came back. Latencies in seconds; in an open loop from the moment at which a request was due."""

    seconds: float = 0.0
    statuses: dict[bytes, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)  # positions of requests that were answered with 200

    @property
    def rate(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    @property
    def errors(self) -> int:
        return sum(times for status, times in self.statuses.items() if status != b"200")


class _Connection:
    __slots__ = ("begun", "buffer", "number", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.number = -1
        self.begun = 0.0

    def send(self, request: bytes, number: int, begun: float) -> None:
        self.number, self.begun = number, begun
        self.socket.sendall(request)

    def status(self) -> bytes | None:
        """The status once the whole answer is there."""
        content = self.socket.recv(65536)
        if not content:
            raise ConnectionError("the server closed the connection")
        self.buffer += content
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        lowered = head.lower()
        place = lowered.find(b"content-length:")
        length = int(lowered[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(rest) < length:
            return None
        self.buffer = b""
        return head[9:12]


def closed_loop(port: int, requests: Sequence[bytes], connections: int = 32) -> Load:
    """Every connection asks again as soon as it is answered, until all requests are through."""
    return _run(port, requests, connections, rate=None)


def open_loop(port: int, requests: Sequence[bytes], rate: float, connections: int = 64) -> Load:
    """Requests leave at their time, however slow the answers are."""
    return _run(port, requests, connections, rate)


def _run(port: int, requests: Sequence[bytes], connections: int, rate: float | None) -> Load:
    load = Load()
    poll = select.epoll()
    idle = deque(_Connection(port) for _ in range(connections))  # by turns: servers close what is idle for long
    by_file = {connection.socket.fileno(): connection for connection in idle}
    for file in by_file:
        poll.register(file, select.EPOLLIN)
    begun = time.perf_counter()
    sent = done = 0
    try:
        while done < len(requests):
            now = time.perf_counter()
            while idle and sent < len(requests) and (rate is None or begun + sent / rate <= now):
                idle.popleft().send(requests[sent], sent, now if rate is None else begun + sent / rate)
                sent += 1
            pause = 10.0
            if rate is not None and idle and sent < len(requests):
                pause = max(0.0, begun + sent / rate - time.perf_counter())
            for file, _ in poll.poll(pause):
                connection = by_file[file]
                status = connection.status()
                if status is None:
                    continue
                load.latencies.append(time.perf_counter() - connection.begun)
                load.statuses[status] = load.statuses.get(status, 0) + 1
                if status == b"200":
                    load.answered.append(connection.number)
                done += 1
                idle.append(connection)
    except OSError:
        pass  # the server is gone: what was answered until then counts
    finally:
        load.seconds = time.perf_counter() - begun
        for connection in by_file.values():
            connection.socket.close()
        poll.close()
    return load
