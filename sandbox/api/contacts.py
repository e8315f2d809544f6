"""Addresses of WeCom, departments, members and the app itself (wecom-api.md 1.6, 4)."""

from __future__ import annotations

from typing import Any

from sandbox import cursors
from sandbox.api import Ask, api
from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.objects import App, Department, Staff


@api("GET", "getcallbackip")
def callback_ips(ask: Ask) -> dict[str, Any]:
    return {"ip_list": ["101.226.103.*", "127.0.0.1", "::1"]}


@api("GET", "get_api_domain_ip")
def api_ips(ask: Ask) -> dict[str, Any]:
    return {"ip_list": ["127.0.0.1", "::1"]}


# -- departments -----------------------------------------------------------------------------------------------------


def asked_departments(ask: Ask) -> list[Department]:
    """The department asked for with all below it, or every visible one; larger order first, as WeCom sorts."""
    visible = ask.corp.visible_departments(ask.app)
    if ask.query.get("id", "") != "":
        visible = visible & ask.corp.subtree([the_department(ask, "id").id])
    found = [ask.corp.departments[number] for number in visible]
    return sorted(found, key=lambda department: (department.parentid, -department.order, department.id))


def the_department(ask: Ask, name: str) -> Department:
    text = ask.query.get(name, "")
    if not text.isascii() or not text.isdigit():
        raise ApiError(60003 if text else 40063, f"{name}: {text}")
    department = ask.corp.departments.get(int(text))
    if department is None:
        raise ApiError(60003)
    if department.id not in ask.corp.visible_departments(ask.app):
        raise ApiError(60011)
    return department


def department_view(department: Department) -> dict[str, Any]:
    return {
        "id": department.id,
        "name": department.name,
        "parentid": department.parentid,
        "order": department.order,
        "department_leader": department.leaders,
    }


@api("GET", "department/list")
def department_list(ask: Ask) -> dict[str, Any]:
    return {"department": [department_view(department) for department in asked_departments(ask)]}


@api("GET", "department/simplelist")
def department_simplelist(ask: Ask) -> dict[str, Any]:
    return {"department_id": [{"id": d.id, "parentid": d.parentid, "order": d.order} for d in asked_departments(ask)]}


@api("GET", "department/get")
def department_get(ask: Ask) -> dict[str, Any]:
    return {"department": department_view(the_department(ask, "id"))}


# -- members ---------------------------------------------------------------------------------------------------------


def member_view(app: App, staff: Staff) -> dict[str, Any]:
    """A member as this app sees him: sensitive fields only for apps older than 2022-06-20 (wecom-api.md 4.4)."""
    view: dict[str, Any] = {
        "userid": staff.userid,
        "name": staff.name,
        "department": staff.departments,
        "order": [0] * len(staff.departments),
        "position": staff.position,
        "is_leader_in_dept": [int(number in staff.leader_in) for number in staff.departments],
        "direct_leader": staff.direct_leader,
        "status": staff.status,
        "alias": staff.alias,
        "telephone": "",
        "english_name": "",
        "hide_mobile": 0,
        "main_department": staff.departments[0] if staff.departments else 1,
        "extattr": {"attrs": []},
        "external_profile": {"external_corp_name": "", "external_attr": []},
    }
    if app.sensitive_fields:
        view |= {
            "mobile": staff.mobile,
            "gender": str(staff.gender),
            "avatar": f"https://wework.qpic.cn/wwpic/{staff.userid}/0",
            "thumb_avatar": f"https://wework.qpic.cn/wwpic/{staff.userid}/100",
            "email": f"{staff.userid}@example.com",
            "biz_mail": f"{staff.userid}@corp.example",
            "qr_code": f"https://open.work.weixin.qq.com/wwopen/userQRCode?vcode={staff.userid}",
            "address": "",
        }
    return view


def members_in(corp: Corp, app: App, department: Department) -> list[Staff]:
    return [staff for staff in corp.visible_staff(app) if department.id in staff.departments]


@api("GET", "user/get")
def user_get(ask: Ask) -> dict[str, Any]:
    return member_view(ask.app, ask.corp.member(ask.query.get("userid"), ask.app))


@api("GET", "user/simplelist")
def user_simplelist(ask: Ask) -> dict[str, Any]:
    found = members_in(ask.corp, ask.app, the_department(ask, "department_id"))
    return {
        "userlist": [
            {"userid": s.userid, "name": s.name, "department": s.departments, "open_userid": ""} for s in found
        ]
    }


@api("GET", "user/list")
def user_list(ask: Ask) -> dict[str, Any]:
    found = members_in(ask.corp, ask.app, the_department(ask, "department_id"))
    return {"userlist": [member_view(ask.app, staff) for staff in found]}


@api("POST", "user/list_id", frozenset({"sync"}))
def user_list_id(ask: Ask) -> dict[str, Any]:
    limit = ask.number("limit", 1, 10_000, 10_000)
    rows = [{"userid": s.userid, "department": number} for s in ask.corp.staff.values() for number in s.departments]
    asked = cursors.question("list_id")
    (start,) = cursors.take(ask.corp, asked, ask.body.get("cursor"), 1)
    end = start + limit
    return {"dept_user": rows[start:end], "next_cursor": cursors.give(ask.corp, asked, end) if end < len(rows) else ""}


# -- the app ---------------------------------------------------------------------------------------------------------


@api("GET", "agent/get", frozenset({"app"}))
def agent_get(ask: Ask) -> dict[str, Any]:
    text = ask.query.get("agentid", "")
    if not text:
        raise ApiError(41011)
    if not text.isascii() or not text.isdigit():
        raise ApiError(40056)
    if int(text) != ask.app.agent_id:
        raise ApiError(301002)
    return {
        "agentid": ask.app.agent_id,
        "name": ask.app.name,
        "square_logo_url": "https://wework.qpic.cn/wwpic/logo/0",
        "description": "",
        "allow_userinfos": {"user": [{"userid": userid} for userid in ask.app.visible_users]},
        "allow_partys": {"partyid": ask.app.visible_parties},
        "allow_tags": {"tagid": []},
        "close": int(ask.app.disabled),
        "redirect_domain": "",
        "report_location_flag": 0,
        "isreportenter": 0,
        "home_url": "",
        "customized_publish_status": 1,
    }
