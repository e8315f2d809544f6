"""`python -m sandbox`: starts the imitation WeCom and runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp

from sandbox import seed
from sandbox.app import build
from sandbox.finance import FinanceProxy
from sandbox.store import BrokenStore, Store
from sandbox.world import World


def server(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m sandbox", description="An imitation of the WeCom server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--finance-port", type=int, default=None, help="proxy of the archive library; the next port")
    parser.add_argument(
        "--home", default="", metavar="URL", help="how browsers reach the sandbox, if not as callers do"
    )
    parser.add_argument("--apps-at", type=server, metavar="HOST:PORT", help="what `.localhost` stands for in windows")
    parser.add_argument("--data", type=Path, default=Path("var/sandbox"), help="folder of the SQLite file")
    parser.add_argument("--memory", action="store_true", help="keep nothing on disk")
    parser.add_argument("--corp-id", default=seed.DEFAULT_CORP)
    parser.add_argument("--name", default=seed.DEFAULT_NAME)
    parser.add_argument("--agent-id", type=int, default=seed.DEFAULT_AGENT)
    parser.add_argument("--secret", default="", help="secret of the app; a fixed demo one by default")
    parser.add_argument("--contact-secret", default="")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--staff", type=int, default=20)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--groups", type=int, default=60)
    parser.add_argument("--no-corp", action="store_true", help="start without the default corp")
    return parser.parse_args(arguments)


def check_port(host: str, port: int) -> None:
    """A port in use is said in one line, before anything is read or made."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"sandbox: cannot listen on {host}:{port}: {error.strerror}")


def open_world(chosen: argparse.Namespace) -> tuple[World, Store | None]:
    world = World()
    world.home, world.windows.local_server = chosen.home.rstrip("/"), chosen.apps_at
    store = None
    if not chosen.memory:
        try:
            store = Store(chosen.data)
            store.load(world)
        except (BrokenStore, OSError) as error:
            sys.exit(f"sandbox: {error}")
    if not chosen.no_corp and chosen.corp_id not in world.corps:
        corp = seed.seed_corp(
            chosen.corp_id,
            name=chosen.name,
            agent_id=chosen.agent_id,
            secret=chosen.secret,
            contact_secret=chosen.contact_secret,
            seed=chosen.seed,
            staff=chosen.staff,
            customers=chosen.customers,
            groups=chosen.groups,
        )
        world.add(corp)
    return world, store


async def open_proxy(world: World, application: ASGIApp, host: str, port: int) -> FinanceProxy | None:
    """The archive library's way in; a port in use costs only the archive."""
    proxy = FinanceProxy(application)
    try:
        await proxy.start(host, port)
    except OSError as error:
        proxy.stop()
        print(f"sandbox: no archive proxy on {host}:{port}: {error.strerror}", file=sys.stderr, flush=True)
        return None
    world.finance_proxy = f"http://{host}:{port}"
    return proxy


async def serve(world: World, host: str, port: int, stop: asyncio.Event, finance_port: int) -> None:
    """Listens until told to stop; while a `refuse` fault lasts the port is truly closed."""
    application = build(world)
    proxy = await open_proxy(world, application, host, finance_port) if finance_port else None
    while not stop.is_set():
        server = Server(
            application,
            host,
            port,
            interface=Interfaces.ASGINL,
            log_enabled=False,
            websockets=False,
            backlog=2048,
            backpressure=2048,
        )
        world.shutting = asyncio.Event()
        running = asyncio.create_task(server.serve())
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(world.shutting.wait())]
        await asyncio.wait([running, *ends], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            sys.exit(f"sandbox: the server on {host}:{port} ended by itself")
        world.shutting.set()
        server.stop()
        for task in ends:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        pause = world.closed_until - time.time()
        if pause > 0 and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    if proxy is not None:
        proxy.stop()


async def announce(world: World, host: str, port: int) -> None:
    """Says that the sandbox is ready once the port really answers."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.02)
    corps = ", ".join(
        f"{corp.corp_id} ({len(corp.staff)} staff, {len(corp.customers)} customers)" for corp in world.corps.values()
    )
    print(f"sandbox ready: http://{host}:{port}/ {corps}", flush=True)


async def run(chosen: argparse.Namespace) -> None:
    world, store = open_world(chosen)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    side = [asyncio.create_task(announce(world, chosen.host, chosen.port))]
    side.append(asyncio.create_task(world.vendors.keep()))
    if store is not None:
        side.append(asyncio.create_task(store.keep(world)))
    finance_port = chosen.port + 1 if chosen.finance_port is None else chosen.finance_port
    await serve(world, chosen.host, chosen.port, stop, finance_port)
    for task in side:
        task.cancel()
    await asyncio.gather(*side, return_exceptions=True)
    await world.sender.stop()
    if store is not None:
        await store.save(world)
        store.close()


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())  # until the loop listens there is nothing to save
    chosen = options()
    check_port(chosen.host, chosen.port)
    asyncio.run(run(chosen))
    sys.stdout.flush()
    # all is saved; a thread of the server that asks for the interpreter while it is taken down would abort the process
    os._exit(0)


if __name__ == "__main__":
    main()
