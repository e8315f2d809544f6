import time as clock
from collections import defaultdict

import pytest
from django.db import connection
from django.utils import timezone

from contacts.models import Follow
from sop import enrol, plans, steps, timing
from sop.models import Plan, StepRun
from tests.pages_of_apps.company import Company
from tests.sop.conftest import step_of
from tests.sop.test_faults import CUSTOMERS, FOLLOWS, time


def test_profile(in_acme, clean_cache, monkeypatch, capsys):
    monkeypatch.setattr(timing, "QUIET_FROM", time.max)
    monkeypatch.setattr(timing, "QUIET_TO", time.min)
    company = Company(in_acme).found()
    spent = defaultdict(float)

    def timed(execute, sql, params, many, context):
        begun = clock.process_time(), clock.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            spent[sql[:90].replace("\n", " ")] += clock.perf_counter() - begun[1]

    with capsys.disabled(), connection.execute_wrapper(timed):
        for n in (4000,):
            with connection.cursor() as cursor:
                cursor.execute(CUSTOMERS, [n])
                cursor.execute(FOLLOWS, [company.staff["wang"].pk])
            plan = plans.create(name="大批", trigger={"on": "added"}, exits={}, by="wang")
            plans.save_step(plan, step_of(after_minutes=0), by="wang")
            plans.publish(plan, by="wang")
            plans.switch(plan, on=True)
            b = clock.perf_counter()
            enrol.enrol(Plan.objects.get(), list(Follow.objects.values_list("pk", flat=True)), "many", timezone.now())
            print("enrol", n, clock.perf_counter() - b)
            for sql, s in sorted(spent.items(), key=lambda x: -x[1])[:8]:
                print(f"  {s:.2f}  {sql}")
            spent.clear()
            b = clock.perf_counter(); p = clock.process_time()
            ids = list(StepRun.objects.values_list("pk", flat=True))
            for k in range(0, n, 200):
                steps.fall_due(ids[k:k + 200])
            print("steps", n, clock.perf_counter() - b, "python", clock.process_time() - p)
            for sql, s in sorted(spent.items(), key=lambda x: -x[1])[:12]:
                print(f"  {s:.2f}  {sql}")
