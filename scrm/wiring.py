"""Every WeCom event we handle and every reaction across apps. Read this file first.

Connected once, when Django starts. An event that is named nowhere here is stored, counted and marked done.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from accounts import seats
from acquisition import codes, greet, outcomes, shifts
from acquisition import views as acquisition_views
from acquisition.models import ChannelCode, Welcome
from archive import consents, exporting, lag, overdue, retention
from archive import events as archive_events
from archive import tasks as archive_tasks
from archive.signals import messages_arrived
from archive.twins import merge_talks
from broadcasts import audience, limits, lookup, origins, reminders, results, seen, sending
from broadcasts import pages as broadcast_pages
from broadcasts.signals import delivered
from broadcasts.twins import merge_senders
from callbacks import gaps, inbox, partitions
from callbacks.models import InboxEvent
from console.figures import HEALTH_FIGURES
from console.jobs import JOB_GAPS, JOB_NAMES
from console.words import ACTIONS
from contacts import events as contact_events
from contacts import friendships, losses, remark
from contacts import jobs as contact_jobs
from contacts import reminders as contact_reminders
from contacts.models import TimelineEntry
from contacts.signals import follow_added, follow_ended, stage_changed, tags_changed
from contacts.twins import merge_twins
from contacts.unseen import unseen_by
from content import files as content_files
from content import material_uses, media, storage
from content.signals import link_opened
from content.signals import sent as content_sent
from integrations.models import IdempotentRequest
from members import events as member_events
from members import seats as sidebar_seats
from members.signals import staff_left, staff_merging
from scrm import facts, rail, task_broadcasts, words
from sop import assignment_pages, assignments, enrol, mass, plan_pages, remind, steps, upgrade
from sop import exits as sop_exits
from sop import rules as send_rules
from sop import tasks as staff_tasks
from sop import uses as sop_uses
from tagging import corp_tags, criteria, gone, marking, rule_conditions, rules, runs, segment_uses, segments, triggers
from tagging.signals import segment_entered
from tenants import checks, housekeeping, schedule, suite_events
from tenants.closing import ELSEWHERE, SHARED_ROWS, Elsewhere
from tenants.due import DUE_HANDLERS
from tenants.events import EVENT_OWNERS, PLATFORM_OWNERS, URGENT_HANDLERS, Owner, Reading, Urgent
from tenants.isolation import each_tenant
from tenants.jobs import JOB_KINDS, start
from tenants.models import CorpApp, Job, Tenant
from tenants.outcomes import MENDERS, OUTCOMES, RECONCILERS
from tenants.rotation import SEALED, SealedColumn
from tenants.schedule import Periodic, Poller
from wecom.errors import MediaExpired, TagGone
from wecom.events import Event

NIGHT = timedelta(hours=18)  # 02:00 in China


def customers_changed(events: Sequence[Event], reading: Reading) -> None:
    """One of these events is the archive's, too."""
    contact_events.apply_customers(events, reading)
    archive_events.apply_approved([event for event in events if event.key.endswith(".msg_audit_approved")], reading)


WECOM_EVENTS = {
    "change_external_contact": Owner(customers_changed, contact_events.read_customers),
    "change_external_chat": Owner(contact_events.apply_groups, contact_events.read_groups),
    "change_external_tag": Owner(contact_events.apply_tags, contact_events.read_tags),
    "change_contact": Owner(member_events.apply_contact, member_events.read_contact),
    "msgaudit_notify": Owner(archive_events.apply_notify),
}

WELCOME = Urgent(greet.greet, greet.greeting_for)
URGENT = {
    "change_external_contact.add_external_contact": WELCOME,
    "change_external_contact.add_half_external_contact": WELCOME,
}

OUTCOMES_OF_CALLS = {
    "welcome": greet.greeted,
    "code_create": codes.code_made,
    "code_update": codes.code_updated,
    "code_delete": codes.code_deleted,
    "broadcast": sending.asked,
    "broadcast_stop": sending.cancelled,
    "broadcast_remind": reminders.reminded,
    "mark_tag": marking.tags_marked,
    "tags_add": corp_tags.tags_added,
    "tag_edit": corp_tags.tag_edited,
    "tags_delete": corp_tags.tags_deleted,
    "remark": remark.remark_changed,
}


LOST_CREATES = {
    "externalcontact/add_corp_tag": corp_tags.find_added,
    "externalcontact/add_contact_way": codes.find_made,
    sending.API: lookup.find_made,
}


TALKS_OF_ARCHIVE = """SELECT customer_id, unnest(staff_ids), last_at FROM archive_conversation
WHERE kind = 'customer' AND customer_id IS NOT NULL"""
"""For broadcasts: who exchanged messages with whom, as the archive knows it."""


def compare_everything() -> None:
    """Every night, what events missed is found and mended; where nothing was synced yet there is nothing to compare."""
    each_tenant(lambda tenant: start("reconcile", by="schedule") if was_synced(tenant) else None)


def look_elsewhere() -> None:
    """Mass messages that others sent count against the limit of those who got them."""
    each_tenant(lambda tenant: start(seen.JOB, by="schedule") if was_synced(tenant) else None)


def first_sync(app: CorpApp) -> None:
    """A connection that is green for the first time brings its customers, without anybody asking."""
    if not Job.objects.filter(tenant=app.tenant, kind="sync").exists():
        start("sync", by="first connection")


def customers_came(follow_ids: list[int], source: str, **_: object) -> None:
    """New friendships, not those that a first sync finds: what their channel code promises."""
    if source != TimelineEntry.Source.SYNC:
        codes.customers_came(follow_ids)
        enrol.follows_added(follow_ids)


def friendships_ended(follow_ids: list[int], **_: object) -> None:
    """What was still to be done for them is a colleague's, or nobody's."""
    staff_tasks.follows_ended(follow_ids)
    sop_exits.follows_ended(follow_ids)


def tags_were_changed(follow_ids: list[int], source: str, **_: object) -> None:
    if source != TimelineEntry.Source.SYNC:
        enrol.tags_put(follow_ids)


def stage_was_reached(customer_ids: list[int], stage_id: int | None, source: str, **_: object) -> None:
    if source != TimelineEntry.Source.SYNC:
        enrol.stage_reached(customer_ids, stage_id)


def segment_was_entered(segment_id: int, customer_ids: list[int], **_: object) -> None:
    enrol.segment_entered(segment_id, customer_ids)


def content_was_sent(sending_ids: list[int], **_: object) -> None:
    staff_tasks.proved_by(sending_ids)


def members_left(staff_ids: list[int], **_: object) -> None:
    staff_tasks.staff_left(staff_ids)


def code_names(states: Collection[str] | None) -> dict[str, str]:
    """Channel codes by what they leave on a friendship: those of these states, or all in use."""
    codes = (
        ChannelCode.objects.filter(archived_at=None) if states is None else ChannelCode.objects.filter(state__in=states)
    )
    return dict(codes.order_by("-id").values_list("state", "name"))


def materials_of_welcomes() -> Iterable[int]:
    """A welcome has seconds: what it carries lies at WeCom at any time."""
    return {pk for row in Welcome.objects.filter(enabled=True).values_list("materials", flat=True) for pk in row}


def was_synced(tenant: Tenant) -> bool:
    return Job.objects.filter(tenant=tenant, kind="sync", state=Job.State.DONE).exists()


FALLING_DUE = {
    contact_reminders.DUE: contact_reminders.fall_due,
    shifts.DUE: codes.shifts_turned,
    enrol.STEP: steps.fall_due,
    staff_tasks.DUE: staff_tasks.ended,
    remind.DIGEST: remind.tell_due,
    reminders.DUE: reminders.fall_due,
    assignments.STARTS: assignments.started,
    assignments.DUE: assignments.over,
    archive_tasks.DUE: archive_tasks.fall_due,
    overdue.DUE: overdue.fall_due,
}
SEALED_COLUMNS = [
    SealedColumn("accounts.Operator", "totp_sealed"),
    SealedColumn("contacts.Follow", "mobiles_sealed"),
]
PERIODIC = [
    *housekeeping.PERIODIC,
    Periodic("channel-codes", timedelta(minutes=1), lambda: each_tenant(lambda tenant: codes.keep_in_step())),
    Periodic("inbox-partitions", timedelta(hours=1), partitions.maintain),
    Periodic("mass-messages-elsewhere", timedelta(days=1), look_elsewhere, offset=NIGHT),
    Periodic("unused-files", timedelta(days=1), lambda: each_tenant(lambda _: content_files.purge()), offset=NIGHT),
    Periodic("old-api-answers", timedelta(days=1), IdempotentRequest.forget_old, offset=NIGHT),
    Periodic("reconcile", timedelta(days=1), compare_everything, offset=NIGHT),
    Periodic("archives", timedelta(hours=1), lambda: each_tenant(lambda _: archive_tasks.keep_going())),
    Periodic("archives-behind", timedelta(minutes=30), lambda: each_tenant(lambda _: lag.tell_if_late())),
    Periodic("consents", timedelta(days=1), lambda: each_tenant(lambda _: consents.check_later()), offset=NIGHT),
    Periodic("old-rule-hits", timedelta(days=1), lambda: each_tenant(lambda _: rules.forget_old_hits()), offset=NIGHT),
    Periodic("archive-retention", timedelta(days=1), lambda: each_tenant(lambda _: retention.tonight()), offset=NIGHT),
    Periodic("watched-segments", timedelta(minutes=2), segments.evaluate_watched),
    Periodic("count-segments", timedelta(hours=1), segments.recount_all),
    Periodic("seats", timedelta(hours=1), lambda: each_tenant(lambda _: seats.recount())),
]
POLLERS = [*housekeeping.POLLERS, Poller("inbox", inbox.poll), Poller("gaps", gaps.compare, every=5.0)]


def connect() -> None:
    """Fill the registries of the lower layers."""
    talk_with_wecom()
    DUE_HANDLERS[media.DUE] = media.fall_due
    media.STANDING[:] = [materials_of_welcomes]
    ELSEWHERE[:] = [Elsewhere(storage.copy_of_tenant, storage.delete_of_tenant)]
    follow_added.connect(customers_came)
    follow_ended.connect(losses.follows_ended, dispatch_uid="losses")
    follow_ended.connect(friendships_ended)
    tags_changed.connect(tags_were_changed)
    stage_changed.connect(stage_was_reached)
    segment_entered.connect(segment_was_entered)
    content_sent.connect(content_was_sent)
    staff_left.connect(members_left)
    DUE_HANDLERS.update(FALLING_DUE)
    JOB_KINDS.update(contact_jobs.KINDS)
    JOB_KINDS[runs.KIND] = runs.carry_out
    JOB_KINDS.update({sending.JOB: sending.work, results.JOB: results.work, reminders.JOB: reminders.work})
    JOB_KINDS[seen.JOB] = seen.work
    DUE_HANDLERS.update({sending.DUE: sending.fall_due, results.DUE: results.fall_due})
    audience.TALKS[1:] = [TALKS_OF_ARCHIVE]
    JOB_KINDS.update({assignments.JOB: assignments.split, upgrade.JOB: upgrade.work})
    JOB_KINDS.update({consents.JOB: consents.check, retention.JOB: retention.drop, exporting.JOB: exporting.make})
    schedule.PERIODIC[:] = PERIODIC
    schedule.POLLERS[:] = POLLERS
    checks.RESUMERS[:] = [lambda app: inbox.resume_parked(app.tenant_id), first_sync]
    checks.WAITING[:] = [inbox.tenants_with_parked]
    SEALED.extend(column for column in SEALED_COLUMNS if column not in SEALED)
    SHARED_ROWS["callbacks_inbox"] = lambda tenant: InboxEvent.objects.filter(tenant_id=tenant.pk)
    criteria.CODE_NAMES[:] = [code_names]
    friendships.CODES[:] = [code_names]
    rule_conditions.MATERIAL_NAMES[:] = [facts.material_names]
    triggers.PAST["message"] = facts.messages_since
    follow_added.connect(facts.friends_came, dispatch_uid="rules_added")
    stage_changed.connect(facts.stage_was_reached, dispatch_uid="rules_stage")
    link_opened.connect(facts.links_were_opened, dispatch_uid="rules_opened")
    messages_arrived.connect(facts.messages_came, dispatch_uid="rules_message")
    seats.HOLDERS[1:] = [sidebar_seats.SIDEBAR]
    seats.TURNED_AWAY[:] = [sidebar_seats.REFUSED]
    staff_merging.connect(merge_twins, dispatch_uid="twins")
    staff_merging.connect(merge_talks, dispatch_uid="twins of talks")
    staff_merging.connect(merge_senders, dispatch_uid="twins of broadcasts")
    join_the_rooms()
    rail.fill()
    JOB_NAMES.update(words.JOBS)
    ACTIONS.update(words.ACTS)
    JOB_GAPS[:] = [unseen_by]
    HEALTH_FIGURES[:] = [outcomes.figures]


def talk_with_wecom() -> None:
    """Who owns what it tells, and what becomes of what it is told."""
    EVENT_OWNERS.update(WECOM_EVENTS)
    PLATFORM_OWNERS.update(suite_events.OWNERS)
    URGENT_HANDLERS.update(URGENT)
    OUTCOMES.update(OUTCOMES_OF_CALLS)
    RECONCILERS.update(LOST_CREATES)
    MENDERS[MediaExpired] = media.mend
    MENDERS[TagGone] = gone.mend


def join_the_rooms() -> None:
    """What rooms of one floor do for each other."""
    origins.ORIGINS[mass.ORIGIN] = task_broadcasts.ORIGIN
    mass.MAKE[:] = [task_broadcasts.make]
    mass.MADE[:] = [task_broadcasts.made]
    send_rules.MASS_MESSAGES[:] = [limits.received]
    send_rules.DAYS_CHANGED[:] = [overdue.rule_changed]
    overdue.CALENDAR[:] = [overdue.Calendar(send_rules.days_off, send_rules.keep_days_off)]
    delivered.connect(task_broadcasts.was_delivered, dispatch_uid="tasks done by mass messages")
    segment_uses.USES[:] = [
        plan_pages.uses_of_segment,
        broadcast_pages.uses_of_segment,
        assignment_pages.uses_of_segment,
    ]
    material_uses.USES[:] = [
        acquisition_views.uses_of_materials,
        sop_uses.uses_of_materials,
        broadcast_pages.uses_of_materials,
    ]
