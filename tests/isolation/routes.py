"""Every address of the product, and what its arguments name. An argument that stands in no table fails."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLResolver, get_resolver

from tests.isolation.world import FOREIGN, HIDDEN, MINE, World

ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()\[\]]|\[[^]]*\])*\)")

# the address up to the end of an argument → model and column of what it names
NAMES: dict[str, tuple[str, str]] = {
    "(?P<name>WW_verify_[A-Za-z0-9]{1,48}\\.txt)": ("DomainFile", "name"),
    "api/v1/customers/<wecom:external_userid>": ("Customer", "external_userid"),
    "api/v1/groups/<wecom:chat_id>": ("GroupChat", "chat_id"),
    "api/v1/writes/<int:pk>": ("OutgoingCall", "pk"),
    "console/customers/<int:pk>": ("Customer", "pk"),
    "console/follow-ups/<int:pk>": ("FollowUp", "pk"),
    "console/follows/<int:pk>": ("Follow", "pk"),
    "console/follows/<int:pk>/tags/<int:tag_pk>": ("Tag", "pk"),
    "console/groups/<int:pk>": ("GroupChat", "pk"),
    "api/v1/tags/<wecom:tag_id>": ("Tag", "wecom_id"),
    "api/v1/tag-runs/<int:pk>": ("TagRun", "pk"),
    "console/tags/<int:pk>": ("Tag", "pk"),
    "console/tags/groups/<int:pk>": ("TagGroup", "pk"),
    "console/tag-runs/<int:pk>": ("TagRun", "pk"),
    "console/tag-rules/<int:pk>": ("TagRule", "pk"),
    "console/segments/<int:pk>": ("Segment", "pk"),
    "api/v1/segments/<int:pk>": ("Segment", "pk"),
    "console/settings/profile/fields/<int:pk>": ("CustomField", "pk"),
    "console/settings/profile/stages/<int:pk>": ("Stage", "pk"),
    "console/staff/<int:pk>": ("Staff", "pk"),
    "console/welcome/staff/<int:pk>": ("Welcome", "pk"),
    "api/v1/channel-codes/<int:pk>": ("ChannelCode", "pk"),
    "console/codes/<int:pk>": ("ChannelCode", "pk"),
    "console/codes/<int:pk>/picture/<slug:form>": ("svg", ""),
    "console/codes/<int:pk>/staff/<int:staff>": ("Staff", "pk"),
    "console/codes/<int:pk>/shifts/<int:shift>": ("CodeShift", "pk"),
    "api/v1/broadcasts/<int:pk>": ("Broadcast", "pk"),
    "console/broadcasts/<int:pk>": ("Broadcast", "pk"),
    "console/broadcasts/<int:pk>/left-out/<slug:reason>": ("deleted", ""),
    "console/broadcasts/<int:pk>/senders/<int:sender>": ("BroadcastSender", "pk"),
    "console/jobs/<int:key>": ("Job", "pk"),
    "api/v1/sop-plans/<int:pk>": ("Plan", "pk"),
    "api/v1/sop-plans/<int:pk>/customers/<wecom:external_userid>": ("Customer", "external_userid"),
    "api/v1/tasks/<int:pk>": ("StaffTask", "pk"),
    "console/sop/<int:pk>": ("Plan", "pk"),
    "console/sop/steps/<int:pk>": ("Step", "pk"),
    "console/sop/customers/<int:pk>": ("Enrolment", "pk"),
    "console/tasks/<int:pk>": ("StaffTask", "pk"),
    "console/tasks/staff/<int:pk>": ("Staff", "pk"),
    "console/tasks/assignments/<int:pk>": ("Assignment", "pk"),
    "console/operators/<uuid:key>": ("Operator", "pk"),
    "api/v1/materials/<int:pk>": ("Material", "pk"),
    "api/v1/scripts/<int:pk>": ("Script", "pk"),
    "console/materials/<int:pk>": ("Material", "pk"),
    "console/folders/<int:pk>": ("Folder", "pk"),
    "console/scripts/<int:pk>": ("Script", "pk"),
    "sidebar/customers/<int:pk>": ("Customer", "pk"),
    "sidebar/customer/<str:external_userid>": ("Customer", "external_userid"),
    "sidebar/group/<str:chat_id>": ("GroupChat", "chat_id"),
    "sidebar/content/<slug:of>": ("script", ""),
    "sidebar/content/<slug:of>/<int:pk>": ("Script", "pk"),
    "sidebar/tasks/<int:pk>": ("StaffTask", "pk"),
    "console/archive/talks/<int:pk>": ("Conversation", "pk"),
    "console/archive/files/<int:pk>": ("ArchivedMedia", "pk"),
    "console/archive/exports/<int:pk>": ("TalkExport", "pk"),
    "console/archive/alerts/<int:pk>": ("Alert", "pk"),
    "console/archive/words/<int:pk>": ("SensitiveWord", "pk"),
    "console/settings/archive/keys/<int:version>": ("Credential", "version"),
    "console/settings/connection/authorise/<uuid:pk>": ("Authorisation", "pk"),
    "console/settings/connection/receivers/<uuid:pk>": ("Receiver", "pk"),
    "console/settings/connection/apps/<uuid:pk>": ("CorpApp", "pk"),
    "t/<str:token>": ("TrackedLink", "token"),
    "t/cover/<str:signed>": ("nothing:signed", ""),
    "files/<str:signed>": ("nothing:signed", ""),
    "files/<str:signed>/<str:name>": ("a.png", ""),
    # the vendor's host
    "tenants/tenant/<path:object_id>": ("globex", "pk"),
    "tenants/domain/<path:object_id>": ("Domain", "pk"),
    "tenants/corpapp/<path:object_id>": ("CorpApp", "pk"),
    "tenants/receiver/<path:object_id>": ("Receiver", "pk"),
    "tenants/suite/<path:object_id>": ("CorpApp", "pk"),
    "scrm/inboxrow/<path:object_id>": ("InboxEvent", "pk"),
    "tenants/outgoingcall/<path:object_id>": ("OutgoingCall", "pk"),
    "tenants/job/<path:object_id>": ("Job", "pk"),
    "tenants/vendoraudit/<path:object_id>": ("VendorAudit", "pk"),
    "(?P<app_label>tenants|scrm)": ("tenants", ""),
    "(?P<url>.*)": ("nothing/here", ""),
    "r/<path:content_type_id>": ("1", ""),
    "r/<path:content_type_id>/<path:object_id>": ("1", ""),
}
OPEN = frozenset(  # nobody signs in before these
    {
        "",  # leads to the console
        "(?P<name>WW_verify_[A-Za-z0-9]{1,48}\\.txt)",  # of the host's own company
        "api/v1/schema/",
        "console/sign-in/",
        "console/sign-in/code/",
        "console/sign-out/",
        "console/language/",
        "sidebar/",  # outside WeCom it says where it belongs
        "sidebar/sign-in/",
        "sidebar/signed-in/",
        "t/<str:token>",  # customers open it
        "t/cover/<str:signed>/",  # their WeChat shows it
        "files/<str:signed>/<str:name>",  # the signature is the permission
    }
)
OPEN_OF_OPS = frozenset({"login/", "logout/", "jsi18n/"})
BY_SCOPE = frozenset(
    {
        *("Alert", "ArchivedMedia", "Conversation"),
        *("Assignment", "ChannelCode", "Customer", "Enrolment", "Follow", "FollowUp", "GroupChat", "StaffTask"),
    }
)  # rows that are cut by the data scope
HOSTS = {"scrm.urls": "acme.localhost", "scrm.urls_ops": "ops.localhost"}


@dataclass(frozen=True)
class Route:
    urlconf: str
    place: str  # the pattern as it stands in the tree of addresses

    @property
    def host(self) -> str:
        return HOSTS[self.urlconf]

    @property
    def is_api(self) -> bool:
        return self.place.startswith("api/")

    @property
    def is_sidebar(self) -> bool:
        return self.place.startswith("sidebar/")

    @property
    def is_open(self) -> bool:
        return self.place in (OPEN if self.urlconf == "scrm.urls" else OPEN_OF_OPS)

    @property
    def arguments(self) -> list[tuple[str, str]]:
        """What each argument names; KeyError for one that nobody classified."""
        return [NAMES[self.place[: found.end()]] for found in ARGUMENT.finditer(self.place)]

    @property
    def by_scope(self) -> bool:
        return any(model in BY_SCOPE for model, _ in self.arguments)

    def address(self, world: World, *kinds: str) -> str:
        """`kinds` says of each argument whose it is: foreign, hidden or mine; the last holds for all after it."""
        wanted = iter([*kinds, *[kinds[-1]] * 5] if kinds else [])
        values = iter([naming(world, model, column, next(wanted)) for model, column in self.arguments])
        return "/" + ARGUMENT.sub(lambda _: next(values), self.place)


def naming(world: World, model: str, column: str, kind: str) -> str:
    if not column:
        return model
    if model == "globex":
        return str(world.globex.pk)
    schema, number = {"foreign": ("globex", FOREIGN), "hidden": ("acme", HIDDEN), "mine": ("acme", MINE)}[kind]
    return str(getattr(world.row(schema, model, number), column))


def routes(urlconf: str) -> list[Route]:
    return [Route(urlconf, place) for place in sorted(set(places(get_resolver(urlconf))))]


def places(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        place = before + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from places(pattern, place)
        else:
            yield place.replace("/?", "/")


ROUTES = routes("scrm.urls") + routes("scrm.urls_ops")
