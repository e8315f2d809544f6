"""What segments ask about customers stays in step with the truth, and is mended every night where it is not."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from contacts import bulk
from contacts.models import Customer, CustomerFacts, FollowTag
from tenants.jobs import run_to_end, start
from tests.contacts.truth import assert_facts_are_true
from tests.mirror import mirror_everything


def test_a_first_sync_leaves_the_facts_of_everyone(events):
    mirror_everything()

    assert CustomerFacts.objects.exclude(tag_ids=[]).exists()
    assert_facts_are_true()


def test_the_nightly_comparison_mends_what_was_forgotten(events):
    mirror_everything()
    customers = list(Customer.objects.exclude(facts__tag_ids=[]).order_by("id")[:3])
    FollowTag.objects.filter(follow__customer=customers[0]).delete()  # by nobody who tells
    CustomerFacts.objects.filter(customer=customers[1]).delete()
    CustomerFacts.objects.filter(customer=customers[2]).update(staff_ids=[], lost_at=timezone.now())

    job = run_to_end(start("reconcile", by="test"))

    assert job.counts["facts_mended"] == 3
    assert_facts_are_true()


def test_activity_moves_on_and_never_back(events):
    mirror_everything()
    one, other = Customer.objects.order_by("id")[:2]
    now = timezone.now()

    bulk.touch(last_message_at={one.pk: now, other.pk: now - timedelta(days=3)}, last_opened_at={other.pk: now})
    bulk.touch(last_message_at={one.pk: now - timedelta(days=1), other.pk: now - timedelta(days=1)})

    assert one.facts.last_message_at == now
    assert other.facts.last_message_at == now - timedelta(days=1)
    assert (one.facts.last_opened_at, other.facts.last_opened_at) == (None, now)


def test_activity_survives_the_comparison_and_every_writer(events):
    mirror_everything()
    customer = Customer.objects.order_by("id")[0]
    now = timezone.now()
    bulk.touch(last_message_at={customer.pk: now})
    CustomerFacts.objects.filter(customer=customer).update(tag_ids=[1])

    bulk.refresh_customers([customer.pk])
    assert bulk.rebuild_facts() == 0

    customer.facts.refresh_from_db()
    assert customer.facts.last_message_at == now
    assert_facts_are_true()


def test_facts_that_did_not_change_are_not_written_again(events):
    mirror_everything()
    with connection.cursor() as cursor:
        assert bulk.refresh_facts(cursor, Customer.objects.values_list("pk", flat=True)) == 0


def test_a_stage_and_a_field_are_facts(events):
    mirror_everything()
    from contacts.models import Stage

    customer = Customer.objects.order_by("id")[0]
    stage = Stage.objects.create(name="意向")
    Customer.objects.filter(pk=customer.pk).update(stage=stage, fields={"city": "上海"})
    with connection.cursor() as cursor:
        assert bulk.refresh_facts(cursor, [customer.pk]) == 1
    assert_facts_are_true()
