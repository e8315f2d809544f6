"""Moments of customers 客户朋友圈 (wecom-api.md 5.9)."""

from __future__ import annotations

from typing import Any

from sandbox import cursors, media, moments
from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.api.attachments import check_lengths, require
from sandbox.errors import ApiError
from sandbox.moments import PUBLISHED, Moment, Posting
from sandbox.objects import Staff

MOST = {"image": 9, "video": 1, "link": 1}
LONGEST_BYTES, LONGEST_TEXT = 4000, 2000
A_MINUTE = 10
MONTH = 30 * 86_400
JOB_SECONDS = 86_400


def check_attachments(ask: Ask) -> list[dict[str, Any]]:
    """Nine pictures, or one video, or one link; their files come from upload_attachment."""
    given = ask.body.get("attachments") or []
    if not isinstance(given, list):
        raise ApiError(41065)
    kinds = {item.get("msgtype") if isinstance(item, dict) else None for item in given}
    if len(kinds) > 1 or not kinds <= set(MOST):
        raise ApiError(41065)
    if any(len(given) > MOST[str(kind)] for kind in kinds):
        raise ApiError(41064)
    for item in given:
        kind = str(item["msgtype"])
        content = item.get(kind)
        if not isinstance(content, dict):
            raise ApiError(41065)
        require(content, kind, ("url", "media_id") if kind == "link" else ("media_id",))
        check_lengths(content, kind, (("title", 64), ("url", 2048)))
        file = media.find(ask.corp, content["media_id"], ask.now)
        if file.purpose != "moment" or file.kind != ("image" if kind == "link" else kind):
            raise ApiError(41072)
    return given


def check_text(ask: Ask) -> str:
    text = str((ask.body.get("text") or {}).get("content") or "")
    if len(text) > LONGEST_TEXT or len(text.encode()) > LONGEST_BYTES:
        raise ApiError(45002)
    return text


def senders(ask: Ask, wanted: dict[str, Any]) -> tuple[list[Staff], dict[str, Any]]:
    """The members of the range, and what of it stands for nobody."""
    corp = ask.corp
    sellers = [staff for staff in corp.visible_staff(ask.app) if staff.customer_contact]
    if not wanted:
        return sellers, {"user_list": [], "department_list": []}
    known = {staff.userid.lower() for staff in sellers}
    users = [str(userid) for userid in wanted.get("user_list") or ()]
    parties = list(wanted.get("department_list") or ())
    inside = corp.subtree([number for number in parties if number in corp.visible_departments(ask.app)])
    named = {userid.lower() for userid in users}
    found = [staff for staff in sellers if staff.userid.lower() in named or inside & set(staff.departments)]
    wrong = {
        "user_list": [userid for userid in users if userid.lower() not in known],
        "department_list": [number for number in parties if number not in corp.visible_departments(ask.app)],
    }
    return found, wrong


@api("POST", "externalcontact/add_moment_task", SELLING_KINDS)
def add(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    text, attachments = check_text(ask), check_attachments(ask)
    if not text and not attachments:
        raise ApiError(41089)
    if sum(ask.now - moment.created_at < 60 for moment in corp.moments.values()) >= A_MINUTE:
        raise ApiError(45009)
    wanted = ask.body.get("visible_range") or {}
    found, wrong = senders(ask, wanted.get("sender_list") or {})
    asked = [str(tag) for tag in (wanted.get("external_contact_list") or {}).get("tag_list") or ()]
    tags = {tag for tag in asked if corp.live_tag(tag) is not None}
    invalid = {
        "invalid_sender_list": wrong,
        "invalid_external_contact_list": {"tag_list": [tag for tag in asked if tag not in tags]},
    }
    postings = moments.plan(corp, found, tags) if tags or not asked else {}
    ready = ask.now + corp.limits.mass_dispatch_seconds
    moment_id, jobid = corp.new_id("mom"), corp.new_id("mjob")
    moment = Moment(moment_id, jobid, ask.app.key, ask.now, ready, text, attachments, postings, not wanted, invalid)
    moments.dispatch(corp, moment)
    ask.world.effects.note(corp, "moment", moment_id=moment_id, text=text, userids=list(postings))
    return {"jobid": jobid}


@api("GET", "externalcontact/get_moment_task_result", SELLING_KINDS)
def task_result(ask: Ask) -> dict[str, Any]:
    jobid = ask.query.get("jobid", "")
    moment = next((one for one in ask.corp.moments.values() if one.jobid == jobid), None)
    if moment is None or ask.now - moment.created_at > JOB_SECONDS:
        raise ApiError(40088)
    answer: dict[str, Any] = {"status": 2 if ask.now < moment.ready_at else 3, "type": "add_moment_task"}
    if answer["status"] == 3:
        code = 0 if moment.postings else 41048
        answer["result"] = {"errcode": code, "errmsg": "ok" if not code else "no customer to send"} | moment.invalid
        answer["result"] |= {"moment_id": moment.moment_id} if moment.postings else {}
    return answer


def the_moment(ask: Ask) -> Moment:
    moment_id = ask.text("moment_id", 64)
    if not moment_id:
        raise ApiError(41059)
    moment = ask.corp.moments.get(moment_id)
    if moment is None or not moment.postings:
        raise ApiError(41060)
    if ask.now < moment.ready_at:
        raise ApiError(41079)
    moments.settle(ask.corp, moment, ask.now)
    return moment


def the_posting(ask: Ask, published: bool = False) -> Posting:
    moment = the_moment(ask)
    userid = ask.text("userid", 64)
    if not userid:
        raise ApiError(41009)
    posting = next((one for key, one in moment.postings.items() if key.lower() == userid.lower()), None)
    if posting is None:
        raise ApiError(41061)
    if published and posting.status != PUBLISHED:
        raise ApiError(41062)
    return posting


def page_of(ask: Ask, rows: list[Any], most: int, default: int, *question: Any) -> tuple[list[Any], dict[str, str]]:
    limit = ask.number("limit", 1, most, default)
    asked = cursors.question("moments", *question)
    (start,) = cursors.take(ask.corp, asked, ask.body.get("cursor"), 1)
    end = start + limit
    return rows[start:end], {"next_cursor": cursors.give(ask.corp, asked, end) if end < len(rows) else ""}


@api("POST", "externalcontact/cancel_moment_task", SELLING_KINDS)
def cancel(ask: Ask) -> dict[str, Any]:
    """Stops what nobody has published yet."""
    moment = the_moment(ask)
    moment.cancelled_at = ask.now
    ask.corp.touch("moment", moment.moment_id)
    return {}


@api("POST", "externalcontact/get_moment_list", SELLING_KINDS)
def moment_list(ask: Ask) -> dict[str, Any]:
    start, end = ask.number("start_time", 0, 2**40), ask.number("end_time", 0, 2**40)
    if not 0 <= end - start <= MONTH:
        raise ApiError(40058, "start_time and end_time are more than 30 days apart")
    kind = ask.number("filter_type", 0, 2, 2)
    rows = [
        moment_view(moment)
        for moment in ask.corp.moments.values()
        if kind != 1 and moment.postings and start <= int(moment.created_at) <= end and moment.ready_at <= ask.now
    ]
    page, more = page_of(ask, rows, 20, 20, "list", start, end, kind)
    return {"moment_list": page} | more


def moment_view(moment: Moment) -> dict[str, Any]:
    view: dict[str, Any] = {"moment_id": moment.moment_id, "create_time": int(moment.created_at), "create_type": 0}
    view |= {"visible_type": int(moment.everybody), "text": {"content": moment.text}}
    images = [item["image"] for item in moment.attachments if item["msgtype"] == "image"]
    others = {item["msgtype"]: item[item["msgtype"]] for item in moment.attachments if item["msgtype"] != "image"}
    return view | ({"image": images} if images else {}) | others


@api("POST", "externalcontact/get_moment_task", SELLING_KINDS)
def task_list(ask: Ask) -> dict[str, Any]:
    moment = the_moment(ask)
    rows = [{"userid": one.userid, "publish_status": one.status} for one in moment.postings.values()]
    page, more = page_of(ask, rows, 1000, 500, "tasks", moment.moment_id)
    return {"task_list": page} | more


@api("POST", "externalcontact/get_moment_customer_list", SELLING_KINDS)
def customer_list(ask: Ask) -> dict[str, Any]:
    posting = the_posting(ask)
    rows = [{"userid": posting.userid, "external_userid": one} for one in posting.customers]
    page, more = page_of(ask, rows, 1000, 500, "chosen", ask.body["moment_id"], posting.userid)
    return {"customer_list": page} | more


@api("POST", "externalcontact/get_moment_send_result", SELLING_KINDS)
def send_result(ask: Ask) -> dict[str, Any]:
    posting = the_posting(ask, published=True)
    rows = [{"external_userid": one} for one in posting.seen_by]
    page, more = page_of(ask, rows, 5000, 3000, "seen", ask.body["moment_id"], posting.userid)
    return {"customer_list": page} | more


@api("POST", "externalcontact/get_moment_comments", SELLING_KINDS)
def comments(ask: Ask) -> dict[str, Any]:
    posting = the_posting(ask, published=True)
    return {"comment_list": posting.comments, "like_list": posting.likes}
