"""One fault test in two sizes: the short one runs with all others, the full one by `make test-faults`."""

import pytest


def in_two_sizes(names: str, short: object, full: object) -> pytest.MarkDecorator:
    """Parametrises a test with its arguments for either run, as `pytest.mark.parametrize` takes them."""
    return pytest.mark.parametrize(
        names,
        [pytest.param(*_each(short), id="short"), pytest.param(*_each(full), id="full", marks=pytest.mark.faults)],
    )


def _each(values: object) -> tuple[object, ...]:
    return values if isinstance(values, tuple) else (values,)
