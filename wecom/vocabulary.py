"""Every event WeCom is known to send us, and what it means (wecom events: path/90238, 92130, 92277, 95039, 97299)."""

_EXTERNAL_CONTACT = {
    "add_external_contact": "a member and an outsider became friends",
    "edit_external_contact": "a member changed a customer's remark, description or tags",
    "add_half_external_contact": "an outsider added a member who asks for no verification; one-way so far",
    "del_external_contact": "a member deleted a customer",
    "del_follow_user": "a customer deleted a member",
    "transfer_fail": "a hand-over failed",
    "msg_audit_approved": "an outsider agreed to the session archive",
}
_EXTERNAL_CHAT = {
    "create": "a customer group was made",
    "update": "members, owner, name or notice of a customer group changed",
    "dismiss": "a customer group was dissolved",
}
_EXTERNAL_TAG = {
    "create": "a customer tag or tag group was made",
    "update": "a customer tag or tag group was changed",
    "delete": "a customer tag or tag group was deleted",
    "shuffle": "the order of customer tags or tag groups changed",
}
_CONTACT = {
    "create_user": "a member joined",
    "update_user": "a member's details changed",
    "delete_user": "a member left",
    "create_party": "a department was made",
    "update_party": "a department was renamed or moved",
    "delete_party": "a department was deleted",
    "update_tag": "the members of a contacts tag changed",
}
_ACQUISITION = {
    "balance_low": "fewer than 20 acquisition uses are left",
    "balance_exhausted": "no acquisition use is left",
    "balance_increased": "acquisition uses were bought",
    "quota_expire_soon": "acquisition uses expire soon",
    "link_unavailable": "an acquisition link has no usable member",
    "delete_link": "an acquisition link was deleted",
    "open_profile": "someone opened a member's card from a link",
    "friend_request": "someone asked for friendship from a link",
    "customer_start_chat": "a customer from a link wrote for the first time",
}
_MESSAGES = {kind: f"a member sent the app {kind}" for kind in ("text", "image", "voice", "video", "location", "link")}

_PLAIN = {
    "msg_audit_approved": "an outsider agreed to the session archive",
    "msgaudit_notify": "the session archive has new messages",
    "kf_msg_or_event": "customer service has new messages",
    "kf_account_auth_change": "customer service accounts were granted or withdrawn",
    "enter_agent": "a member opened the app",
    "subscribe": "a member came into the app's visible range",
    "unsubscribe": "a member left the app's visible range",
    "template_card_event": "a member answered a message card",
    "template_card_menu_event": "a member used the menu of a message card",
    "batch_job_result": "a batch job of contacts ended",
    "upload_media_job_finish": "an upload by URL ended",
    "click": "a member chose a menu item",
    "view": "a member opened a menu link",
    "LOCATION": "a member's place was reported",
    "location_select": "a member chose a place from the menu",
    "scancode_push": "a member scanned a code",
    "scancode_waitmsg": "a member scanned a code and waits for an answer",
    "pic_sysphoto": "a member took a photo from the menu",
    "pic_photo_or_album": "a member chose a photo or took one",
    "pic_weixin": "a member chose a photo",
    "close_inactive_agent": "the app's API rights were frozen as it is unused",
    "reopen_inactive_agent": "the app's API rights were restored",
    "unlicensed_notify": "a member without licence opened the app",
    "change_app_admin": "the app's administrators changed",
    "security.change_domain_ip": "the addresses of WeCom's API change",
}
_SUITE = {
    "suite_ticket": "a new suite ticket",
    "create_auth": "a company installed the app",
    "change_auth": "a company changed the app's range or rights",
    "cancel_auth": "a company removed the app",
    "reset_permanent_code": "the secret of a developed app was reset",
    "approve_special_auth": "a company granted a special right",
    "cancel_special_auth": "a company withdrew a special right",
    "corp_arch_auth": "a company granted its organisation structure",
    "share_agent_change": "the app was shared with a downstream company",
    "change_editon": "a company changed the app's edition",
    "open_order": "a company ordered the app",
    "change_order": "a company changed its order",
    "pay_for_app_success": "a company paid for the app",
    "refund": "an order of the app was refunded",
    "agree_external_userid_migration": "a company agreed to the upgrade of customer ids",
    "register_corp": "a company registered from our promotion package",
    "enter_register_package": "a company began to register from our promotion package",
    "license_pay_success": "a licence order was paid",
    "license_refund": "a licence order was refunded",
    "auto_activate": "members' licences were activated",
    "conversation_new_message": "the data zone has new messages",
    "hit_keyword": "a message in the data zone matched a rule",
    "chat_archive_audit_approved_single": "an outsider agreed to the archive of the data zone",
    "chat_archive_export_finished": "an export of the data zone ended",
    "program_notify": "a program in the data zone reports",
    "advanced_api_expired": "the advanced API has expired",
    "advanced_api_trial_expired": "the trial of the advanced API has ended",
}


def _all() -> dict[str, str]:
    families = {
        "change_external_contact": _EXTERNAL_CONTACT,
        "change_external_chat": _EXTERNAL_CHAT,
        "change_external_tag": _EXTERNAL_TAG,
        "change_contact": _CONTACT,
        "customer_acquisition": _ACQUISITION,
        "message": _MESSAGES,
    }
    found = {f"{name}.{change}": meaning for name, family in families.items() for change, meaning in family.items()}
    return found | _PLAIN | _SUITE


SUITE_EVENTS = frozenset(_SUITE)
"""Names of what concerns a provider and its suites, whichever company they also name."""

KNOWN_EVENTS: dict[str, str] = _all()
"""Event key to its meaning in one line. An event that is missing here is still read and kept."""
