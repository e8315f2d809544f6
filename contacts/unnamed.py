"""Tags of rule groups (规则组): no listing that we may read names them, a customer who carries one does."""

from django.db import connection

from contacts import bulk
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import WeComRefused
from wecom.objects import CustomerDetail

WIDTH = 5
AT_MOST = 200  # customers read for the names of one run; what is left over has the next one
_CARRIERS = """
SELECT DISTINCT c.external_userid FROM contacts_tag t
CROSS JOIN LATERAL (
    SELECT f.customer_id FROM contacts_followtag l JOIN contacts_follow f ON f.id = l.follow_id
    WHERE l.tag_id = t.id AND f.ended_at IS NULL LIMIT 1) AS one
JOIN contacts_customer c ON c.id = one.customer_id
WHERE t.name = '' AND t.deleted_at IS NULL LIMIT %s
"""


def name_tags_by_customers(client: WeComClient) -> int:
    """Reads one customer of each tag without a name; how many got one. Who is gone meanwhile has the next run."""
    with connection.cursor() as cursor:
        cursor.execute(_CARRIERS, [AT_MOST])
        carriers = [row[0] for row in cursor.fetchall()]
    names: dict[str, str] = {}
    for _external_userid, answer in side_by_side(client.customer, carriers, width=WIDTH):
        if isinstance(answer, CustomerDetail):
            names |= {tag.id: tag.name for follow in answer.follows for tag in follow.tags if tag.id}
        elif not isinstance(answer, WeComRefused):
            raise answer
    return bulk.name_tags(names)
