"""The demo company's SOPs and tasks: two plans with a month of history, one task that is over and one that runs."""

import random
from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from contacts.models import Customer, Follow, Stage
from sop import assignments, enrol, exits, plans, tasks
from sop.enrol import Begin
from sop.models import Assignment, Enrolment, Plan, StaffTask, Step, StepRun
from tenants import due

BY = "演示"
NEW = (
    (None, None, 1, "自我介绍", "{客户昵称}您好，我是您的专属顾问{员工姓名}，挑选、下单、售后都可以直接找我～"),
    (1, time(10), None, "了解需求", "早上好～方便说说您最近想添置什么吗？我按您家的风格先选几款发给您看看。"),
    (3, time(15), None, "发搭配案例", "这是上周一位客户的实景搭配，和您说的风格很像，给您参考一下。"),
    (7, time(11), None, "邀约到店", "这周末店里有新品体验，给您留一个位置，要不要来看看实物？"),
)
SOLD = (
    (1, time(10, 30), None, "确认收货", "{客户昵称}您好，东西收到了吗？包装有没有问题，有任何不满意随时告诉我。"),
    (7, time(11), None, "使用回访", "用了一周感觉怎么样？发您一份保养小贴士，能用得更久一些。"),
    (30, time(15), None, "请客户推荐", "感谢支持！您的朋友有需要的话，报您的名字可以享受老客户价。"),
)
SKIPS = ("客户近期已沟通", "内容不适合这位客户", "客户不方便打扰")
HISTORY = timedelta(days=30)


def seed_sop() -> None:
    """Repeatable: a company that has a plan is left as it is."""
    if Plan.objects.exists():
        return
    chance = random.Random(8)
    won = Stage.objects.filter(outcome="won", archived_at=None).first()
    lost = Stage.objects.filter(outcome="lost", archived_at=None).first()
    ends = {"stages": [one.pk for one in (won, lost) if one is not None]}
    since = timezone.now() - HISTORY
    new = _plan("新客 7 天培育", {"on": "added"}, ends, NEW)
    recent = Follow.objects.living().filter(added_at__gte=since, half=False).order_by("-added_at")[:300]
    _enter(new, [enrol.added(follow) for follow in recent])
    if won is not None:
        sold = _plan("成交后回访", {"on": "stage", "stage": won.pk}, {}, SOLD)
        customers = Customer.objects.filter(stage=won).order_by("-last_added_at").values_list("pk", flat=True)[:80]
        friends = enrol.friends_of(list(customers))
        begins = [Begin(pk, f"stage:{won.pk}:demo", _some_day(chance, since)) for pk in friends.values()]
        _enter(sold, begins)
    _live_through(chance)
    _ask(chance)


def _plan(name: str, trigger: dict[str, Any], ends: dict[str, Any], texts: tuple[Any, ...]) -> Plan:
    plan = plans.create(name=name, trigger=trigger, exits=ends, by=BY)
    for day, at, after, title, text in texts:
        content = {"text": text, "materials": []}
        plans.save_step(plan, Step(day=day, at=at, after_minutes=after, title=title, content=content), by=BY)
    plans.publish(plan, by=BY)
    plans.switch(plan, on=True)
    return plan


def _enter(plan: Plan, begins: list[Begin]) -> None:
    version = enrol.newest(plan)
    if version is not None:
        enrol.begin(version, begins)


def _some_day(chance: random.Random, since: datetime) -> datetime:
    return since + timedelta(hours=chance.randrange(int(HISTORY.total_seconds() // 3600)))


def _live_through(chance: random.Random) -> None:
    """What fell due until yesterday evening was done by most, forgotten by some."""
    until = timezone.now() - timedelta(hours=2)
    runs = list(
        StepRun.objects.filter(state=StepRun.State.WAITING, due_at__lt=until).select_related(
            "step", "enrolment__follow"
        )
    )
    due.drop(enrol.STEP, [run.pk for run in runs])
    made = []
    for run in runs:
        state = _fate(chance, run.due_at)
        run.state = StepRun.State(state) if state != "open" else StepRun.State.TASKED
        follow = run.enrolment.follow
        made.append(_task(chance, state, run.due_at, run.step, follow.staff_id, follow.customer_id, step_run=run))
        run.settled_at = made[-1].settled_at
    StepRun.objects.bulk_update(runs, ["state", "settled_at"], batch_size=1000)
    _keep(made)
    _end_what_is_over()


def _fate(chance: random.Random, at: datetime) -> str:
    fate = chance.choices(("done", "skipped", "expired", "open"), (70, 8, 14, 8))[0]
    young = timezone.now() - at < timedelta(hours=24)
    if fate == "open" and not young:
        return "done"
    return "open" if fate == "expired" and young else fate


def _task(
    chance: random.Random, state: str, at: datetime, what: Any, staff_id: int, customer_id: int, **of: Any
) -> StaffTask:
    ends = at + timedelta(hours=24)
    task = StaffTask(
        staff_id=staff_id, customer_id=customer_id, title=what.title, content=what.content, starts_at=at, ends_at=ends,
        state=state, reminded_at=at, **of,
    )  # fmt: skip
    if state == "done":
        evening = timezone.localtime(at).replace(hour=21, minute=30)  # nobody writes to customers at night
        settled = max(min(at + timedelta(minutes=chance.randint(3, 600)), evening), at + timedelta(minutes=3))
        task.settled_at, task.proof, task.sent = min(settled, timezone.now()), StaffTask.Proof.SIDEBAR, ["text"]
    elif state == "skipped":
        task.settled_at, task.skip_reason = min(at + timedelta(hours=1), timezone.now()), chance.choice(SKIPS)
    elif state == "expired":
        task.settled_at = ends
    return task


def _keep(made: list[StaffTask]) -> None:
    StaffTask.objects.bulk_create(made, batch_size=1000)
    due.put(tasks.DUE, {task.pk: task.ends_at for task in made if task.state == StaffTask.State.OPEN})


def _end_what_is_over() -> None:
    exits.finish(Enrolment.objects.filter(state=Enrolment.State.ACTIVE).values_list("pk", flat=True))


def _ask(chance: random.Random) -> None:
    """Headquarters asked for one thing last week, and asks for another now."""
    now = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    begun = now - timedelta(days=9)
    everybody = {"match": "all", "of": [{"is": "lost", "op": "no"}]}
    past = Assignment.objects.create(
        title="秋季新品试用邀请", tree=everybody, starts_at=begun, ends_at=begun + timedelta(days=3), target=80,
        content={"text": "秋季新品到店啦，老客户可以免费试用一周，要不要给您留一份？", "materials": []},
        state=Assignment.State.ENDED, created_by=BY, split_at=begun,
    )  # fmt: skip
    old = Follow.objects.living().filter(added_at__lt=begun, half=False).order_by("customer_id", "-added_at")
    follows = [one for one in old.distinct("customer_id")[:120] if chance.random() < 0.7]
    made = []
    for follow in follows:
        state = chance.choices(("done", "skipped", "expired"), (74, 6, 20))[0]
        at = begun + timedelta(hours=chance.randint(0, 24))
        made.append(_task(chance, state, at, past, follow.staff_id, follow.customer_id, assignment=past))
    _keep(made)
    running = Assignment.objects.create(
        title="双十二活动预告",
        tree={"match": "all", "of": [{"is": "lost", "op": "no"}, {"is": "added", "op": "last", "value": 30}]},
        starts_at=now, ends_at=now + timedelta(days=3), target=90, created_by=BY,
        content={"text": "双十二提前看：老客户专享 85 折，我先帮您把喜欢的留好？", "materials": []},
    )  # fmt: skip
    assignments.publish(running, by=BY)
