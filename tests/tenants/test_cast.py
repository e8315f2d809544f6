"""The cast of the tests is what the tests say it is."""

from contacts.models import Follow


def test_the_people_of_acme(acme, wang, li, zhang, han):
    with acme:
        assert Follow.objects.get().customer == han
        assert Follow.objects.get().staff == zhang
    assert wang.check_password("correct horse battery")
    assert (wang.role, li.role) == ("admin", "staff")
