"""A worker of Celery does not search what it loaded for garbage, nor each batch a hundred times."""

import gc

from celery.signals import worker_init

from scrm.celery import app
from scrm.garbage import MADE


def test_a_worker_that_begins_looks_for_garbage_seldom() -> None:
    before = gc.get_threshold()
    try:
        worker_init.send(app)
        assert gc.get_threshold()[0] == MADE
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
