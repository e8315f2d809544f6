"""CPU time of a server: user and system seconds of all its processes, and the core it may use."""

import os
from collections.abc import Collection

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


def sides() -> tuple[set[int], set[int]] | None:
    """One core for the measured server and the others for load and stores, where a system can keep them apart."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    first, *others = sorted(os.sched_getaffinity(0))
    return ({first}, set(others)) if others else None


def keep_on(pid: int, cores: Collection[int]) -> None:
    """A process with all its threads, and everything below it."""
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
