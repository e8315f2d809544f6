"""`python -m benchmarks [--name intake] [--scale smoke|quick|full]`: measures ratios, a table of each at the end."""

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

from benchmarks.common.report import Row, print_tables
from benchmarks.common.scale import Scale

NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("*/run.py"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--name", choices=NAMES, help="one of them; without it all")
    parser.add_argument("--scale", type=Scale, choices=list(Scale), default=Scale.QUICK)
    options = parser.parse_args()
    rows: list[Row] = []
    failed: list[str] = []
    for name in [options.name] if options.name else NAMES:
        begun = time.monotonic()
        print(f"-- {name} ({options.scale})", flush=True)
        try:
            rows += importlib.import_module(f"benchmarks.{name}.run").run(options.scale)
        except Exception:  # noqa: BLE001  the others still run
            traceback.print_exc()
            failed.append(name)
        print(f"   {time.monotonic() - begun:.0f} s", flush=True)
    print_tables(rows)
    missed = [row for row in rows if row.reached is False]
    reached = sum(row.reached is True for row in rows)
    print(
        f"\n{reached} goals reached, {len(missed)} missed, {len(failed)} benchmarks failed {' '.join(failed)}".rstrip()
    )
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
