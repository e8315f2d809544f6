"""`make reset`: stop what runs on the data folder and delete it."""

import os
import shutil
import signal
import sys
import time

import psutil

from scrm.up.folder import DataFolder, Fault
from scrm.up.runner import end_leftovers

PATIENCE = 60.0


def main() -> None:
    folder = DataFolder()
    if not folder.path.exists():
        print(f"reset: nothing at {folder.path}")
        return
    try:
        reset(folder)
    except Fault as fault:
        sys.exit(f"reset: {fault}")
    print(f"reset: {folder.path} is gone")


def reset(folder: DataFolder) -> None:
    if not folder.is_ours:
        raise Fault(f"{folder.path} was not made by `make up`: it is left alone")
    take_over(folder)
    end_leftovers(folder.path / "run.json")
    place = folder.path / "postgres"
    if place.is_symlink():
        shutil.rmtree(place.resolve().parent, ignore_errors=True)
    try:
        shutil.rmtree(folder.path)
    except OSError as error:
        raise Fault(
            f"cannot delete {error.filename}: {error.strerror}; run it as the account that ran `make up`"
        ) from error


def take_over(folder: DataFolder) -> None:
    """Ask the runner that holds the folder to stop, and wait until it has."""
    end = time.monotonic() + PATIENCE
    asked = False
    while True:
        try:
            folder.open()
        except Fault:
            holder = folder.holder()
            if not asked and psutil.pid_exists(holder) and holder != os.getpid():
                print(f"reset: stopping process {holder}", flush=True)
                os.kill(holder, signal.SIGTERM)
                asked = True
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


if __name__ == "__main__":
    main()
