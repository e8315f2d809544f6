"""CPU time of a server: user and system seconds of all its processes."""

import psutil


class Orphaned(RuntimeError):
    """The measured server did no work: somebody else answered on its port."""


def seconds(pid: int) -> float:
    """utime + stime of a process and everything below it, ended children included."""
    total = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def per_request(before: float, after: float, requests: int, *, least: float = 10e-6) -> float:
    """Seconds a request; less than any server can do means that it was not the one that answered."""
    cost = (after - before) / requests
    if cost < least:
        raise Orphaned(f"the server used {cost * 1e6:.1f} µs a request: another one must have answered")
    return cost
