import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def var() -> Iterator[Path]:
    """A data folder that is not there yet, where the database's account may pass when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="scrm-var-")).resolve()
    folder.chmod(0o711)  # not pytest's own folder: every session that starts closes that one to others
    yield folder / "var"
    shutil.rmtree(folder, ignore_errors=True)
