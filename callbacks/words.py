"""The names of events and of outgoing calls as WeCom's own admin has them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

EVENT_NAMES: dict[str, Promise] = {
    "change_external_contact.add_external_contact": _("新增客户"),
    "change_external_contact.add_half_external_contact": _("客户单向添加员工"),
    "change_external_contact.edit_external_contact": _("客户资料修改"),
    "change_external_contact.del_external_contact": _("员工删除客户"),
    "change_external_contact.del_follow_user": _("客户删除员工"),
    "change_external_contact.transfer_fail": _("客户转交失败"),
    "change_external_contact.msg_audit_approved": _("客户同意会话存档"),
    "change_external_chat.create": _("创建客户群"),
    "change_external_chat.update": _("客户群变更"),
    "change_external_chat.dismiss": _("客户群解散"),
    "change_external_tag.create": _("新增企业标签"),
    "change_external_tag.update": _("修改企业标签"),
    "change_external_tag.delete": _("删除企业标签"),
    "change_external_tag.shuffle": _("企业标签排序"),
    "change_contact.create_user": _("新增员工"),
    "change_contact.update_user": _("员工资料变更"),
    "change_contact.delete_user": _("员工离职"),
    "change_contact.create_party": _("新增部门"),
    "change_contact.update_party": _("部门变更"),
    "change_contact.delete_party": _("删除部门"),
    "change_contact.update_tag": _("员工标签变更"),
}
PURPOSES: dict[str, Promise] = {
    "welcome": _("欢迎语"),
    "mark_tag": _("打标签"),
    "remark": _("改备注"),
    "tell": _("应用消息提醒"),
    "tags_add": _("新建标签"),
    "tag_edit": _("重命名标签"),
    "tags_delete": _("删除标签"),
    "code_create": _("新建渠道活码"),
    "code_update": _("修改渠道活码"),
    "code_delete": _("停用渠道活码"),
    "broadcast": _("通知员工群发"),
    "broadcast_stop": _("停止群发"),
    "broadcast_remind": _("提醒员工发送群发"),
}
