"""Python looks for garbage in circles: a batch of rows makes a hundred thousand objects, and hardly any is in one."""

import gc
from typing import Any

MADE = 50_000  # objects between two looks at the youngest; Python's own 700 go through a batch a hundred times


def look_seldom(*_: Any, **__: Any) -> None:
    """Once all is loaded: what is there by then stays for good, and is not gone through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE, 20, 100)
