"""The customer card: everything the first screen shows, and the right to see it, in one statement."""

from typing import Any, cast

from django.db import connection

_CARD = """
SELECT json_build_object(
  'seller', json_build_object('id', s.id, 'name', s.name, 'userid', s.userid),
  'customer', CASE WHEN c.id IS NULL THEN NULL ELSE json_build_object(
    'id', c.id, 'external_userid', c.external_userid, 'name', c.name, 'avatar', c.avatar, 'corp_name', c.corp_name,
    'kind', c.kind, 'gender', c.gender, 'stage_id', c.stage_id, 'fields', c.fields, 'friends', c.active_follows) END,
  'follow', (SELECT json_build_object('id', f.id, 'remark', f.remark, 'description', f.description,
      'added_at', f.added_at, 'add_way', f.add_way, 'ended_at', f.ended_at, 'ended_by', f.ended_by)
    FROM contacts_follow f WHERE f.customer_id = c.id AND f.staff_id = s.id),
  'tags', (SELECT coalesce(json_agg(json_build_object('id', t.id, 'name', t.name, 'group', g.name)
      ORDER BY g."order" DESC, g.id, t."order" DESC, t.id), '[]')
    FROM contacts_follow f JOIN contacts_followtag l ON l.follow_id = f.id JOIN contacts_tag t ON t.id = l.tag_id
      JOIN contacts_taggroup g ON g.id = t.group_id
    WHERE f.customer_id = c.id AND f.staff_id = s.id AND t.deleted_at IS NULL),
  'stages', (SELECT coalesce(json_agg(json_build_object('id', g.id, 'name', g.name) ORDER BY g."order", g.id), '[]')
    FROM contacts_stage g WHERE g.archived_at IS NULL OR g.id = c.stage_id),
  'fields', (SELECT coalesce(json_agg(json_build_object('key', d.key, 'name', d.name, 'kind', d.kind,
      'choices', d.choices) ORDER BY d."order", d.id), '[]')
    FROM contacts_customfield d WHERE d.archived_at IS NULL AND d.in_sidebar),
  'others', (SELECT coalesce(json_agg(o.name ORDER BY f.added_at), '[]')
    FROM contacts_follow f JOIN members_staff o ON o.id = f.staff_id
    WHERE f.customer_id = c.id AND f.staff_id <> s.id AND f.ended_at IS NULL),
  'groups', (SELECT coalesce(json_agg(DISTINCT g.name), '[]') FROM contacts_groupmember m
      JOIN contacts_groupchat g ON g.id = m.chat_id
      JOIN contacts_groupmember own ON own.chat_id = g.id AND own.member_id = s.userid AND own.left_at IS NULL
    WHERE m.customer_id = c.id AND m.left_at IS NULL AND g.dismissed_at IS NULL),
  'note', (SELECT json_build_object('text', n.text, 'at', n.created_at, 'next_at', n.next_at,
      'done', n.next_done_at IS NOT NULL)
    FROM contacts_followup n WHERE n.customer_id = c.id AND (n.staff_id = s.id OR n.staff_id IS NULL)
    ORDER BY n.created_at DESC, n.id DESC LIMIT 1),
  'seen', (SELECT json_build_object('message_at', x.last_message_at, 'opened_at', x.last_opened_at)
    FROM contacts_customerfacts x WHERE x.customer_id = c.id),
  'tasks', (SELECT count(*) FROM sop_stafftask k
    WHERE k.customer_id = c.id AND k.staff_id = s.id AND k.state = 'open'
      AND k.starts_at <= now() AND k.ends_at > now())
)
FROM members_staff s LEFT JOIN contacts_customer c ON c.external_userid = %s
WHERE s.id = %s AND s.left_at IS NULL AND s.status = 1 AND s.sidebar <> 'off'
"""


def card_of(seller: int, external_userid: str) -> dict[str, Any] | None:
    """The card as this member sees it: `customer` None when nobody knows the person yet, `follow` None when it is not
    their customer. None at all: the member may not look any more."""
    with connection.cursor() as cursor:
        cursor.execute(_CARD, [external_userid, seller])
        row = cursor.fetchone()
    return cast("dict[str, Any]", row[0]) if row else None
