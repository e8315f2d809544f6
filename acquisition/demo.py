"""Three channel codes as a shop would have them, for the demo company."""

from acquisition import codes
from acquisition.models import ChannelCode, Welcome
from contacts.models import Stage, Tag
from members.models import Staff

CODES = (
    ("门店收银台", "线下", "门店扫码", "欢迎来到青禾生活！我是您的专属顾问{员工姓名}，到店积分、新品预订都可以找我～"),
    ("公众号菜单", "线上", "官网咨询", ""),
    ("周末市集展台", "线下", "展会活动", "{客户昵称}您好，谢谢您在市集停下来看我们。凭这条消息到店可领试用装。"),
)


def fill() -> list[ChannelCode]:
    """Once: the codes, each behind some of the staff; those made now."""
    if ChannelCode.objects.exists():
        return []
    staff = list(Staff.objects.filter(can_follow=True, left_at=None, status=1).order_by("pk")[:9])
    tags = {tag.name: tag.pk for tag in Tag.objects.filter(deleted_at=None, group__strategy_id=None)}
    stage = Stage.objects.order_by("order").first()
    made = []
    for number, (name, group, tag, text) in enumerate(CODES):
        welcome = Welcome.objects.create(reach=Welcome.Reach.CODE, name=name, text=text) if text else None
        tag_ids = [tags[tag]] if tag in tags else []
        code = ChannelCode(name=name, group=group, welcome=welcome, stage=stage, tag_ids=tag_ids)
        made.append(codes.create(code, staff[number * 3 : number * 3 + 3], [], by="演示"))
    return made
