"""Talk of the last days for the demo company, as plaintexts that the imitation WeCom seals; and what is watched for."""

import random
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from archive import overdue
from archive.models import ReplyRule, SensitiveWord
from contacts.models import Customer, Follow, GroupChat, GroupMember

PAIRS, DAYS = 60, 4  # WeCom keeps five days
WORDS = ("加我微信", "私下转账", "返现", "退款投诉")
DIALOGUES: tuple[tuple[str, ...], ...] = (  # c: the customer says it, s: the member of staff
    (
        "c:你好，上次那款精华还有货吗？",
        "s:有的，这周刚到了一批，帮您留一瓶？",
        "c:留一瓶，周六过去拿",
        "s:好的，周六见～",
    ),
    ("c:周末停车方便吗？", "s:方便的，商场地下两层都可以停，消费满 200 免两小时", "c:谢谢"),
    ("s:王姐，会员日 8.8 折，您常用的面霜也参加活动", "c:需要提前预约吗？", "s:不用，到店报手机号就行", "c:好的"),
    (
        "c:快递显示签收了，但是我没收到",
        "s:您把单号发我，我帮您查一下",
        "c:SF1024567890",
        "s:查到了，放在小区驿站，取件码发您",
    ),
    ("c:敏感肌可以用这款吗？", "s:可以的，成分里没有酒精和香精，建议先在耳后试用", "c:明白"),
    ("s:新品试用装到了，给您寄一份？", "c:好呀，地址还是老地方", "s:已登记，预计后天到"),
    ("c:能不能开发票？", "s:可以，请把抬头和税号发给我", "c:等我问一下财务"),
    (
        "c:这次的面膜和上次味道不一样",
        "s:是新批次，配方没有变，您放心用",
        "c:可是我用了有点红",
        "s:先停用，我请产品老师联系您",
    ),
    ("c:我要退款投诉，等了三天没人理我！", "s:非常抱歉，我马上为您处理"),
    ("s:您方便的话加我微信私人号，我给您更低的价格",),
    ("c:门店几点关门？",),
    ("c:两件可以包邮吗？", "s:可以的，两件就包邮", "c:那我再看看颜色"),
)
GROUP_TALK = (  # the owner, or one of the customers by number
    "s:各位好，会员日定在本周六，到店可领新品试用装，名额 30 份",
    "0:怎么报名？群里接龙可以吗",
    "s:可以，直接回复“1”就行，我来登记",
    "0:1",
    "1:1，能带朋友一起吗？",
    "s:可以带一位，到店报您的手机号",
    "2:试用装是面霜还是精华？",
    "s:两款都有，敏感肌优先领面霜",
    "3:周六上班去不了，可以代领吗",
    "s:可以的，跟我说一声代领人的姓名",
    "2:1",
)
GROUP_ANSWERS = (True, True, False)  # of the first customers, whether they agree; the others have not answered


def watch() -> None:
    """敏感词 and 超时质检, switched on."""
    there = set(SensitiveWord.objects.values_list("word", flat=True))
    SensitiveWord.objects.bulk_create(
        SensitiveWord(word=word, created_by="演示") for word in WORDS if word not in there
    )
    ReplyRule.objects.get_or_create(
        only=True,
        defaults={
            "enabled": True,
            "minutes": 15,
            "weekdays": list(overdue.ALL_WEEK),
            "from_time": time(9),
            "to_time": time(21),
        },
    )


def talks(seed: int = 7) -> Iterator[list[dict[str, Any]]]:
    """The same every time but for the clock: for each pair some dialogues, in the order they were said."""
    dice, now = random.Random(seed), timezone.localtime()
    said: list[tuple[datetime, dict[str, Any]]] = []
    for userid, customer in pairs():
        for _ in range(dice.randint(1, 3)):
            day = now.date() - timedelta(days=dice.randint(0, DAYS - 1))
            at = datetime.combine(day, time(9, 30), now.tzinfo) + timedelta(seconds=dice.randint(0, 9 * 3600))
            for line in dice.choice(DIALOGUES):
                who, _colon, text = line.partition(":")
                said.append((at, message(userid, customer, text, at, ours=who == "s")))
                at += timedelta(seconds=dice.randint(20, 400))
    rows = [plain for at, plain in sorted(said, key=lambda one: one[0]) if at < now]
    for start in range(0, len(rows), 200):
        yield rows[start : start + 200]


def group() -> tuple[GroupChat, list[str]] | None:
    """A small group, and its customers in the order they joined."""
    known = Customer.objects.filter(external_userid=OuterRef("member_id"), first_added_at__isnull=False)
    here = GroupMember.objects.filter(left_at=None, kind=GroupMember.Kind.OUTSIDER).filter(Exists(known))
    talking = len({line[0] for line in GROUP_TALK} - {"s"})
    for chat in GroupChat.objects.filter(dismissed_at=None).exclude(name="").order_by("customer_count", "id"):
        customers = list(here.filter(chat=chat).order_by("joined_at", "id").values_list("member_id", flat=True))
        if len(customers) >= talking:
            return chat, customers
    return None


def group_talk() -> Iterator[dict[str, Any]]:
    """Said in that group within the last hour."""
    if (found := group()) is None:
        return
    chat, customers = found
    at, people = timezone.now() - timedelta(minutes=50), [chat.owner_userid, *customers]
    for line in GROUP_TALK:
        who, _colon, text = line.partition(":")
        sender = chat.owner_userid if who == "s" else customers[int(who)]
        others = [one for one in people if one != sender]
        plain = {"action": "send", "from": sender, "tolist": others, "roomid": chat.chat_id, "msgtype": "text"}
        yield plain | {"msgtime": int(at.timestamp() * 1000), "text": {"content": text}}
        at += timedelta(seconds=200)


def answers() -> Iterator[dict[str, Any]]:
    """What some of that group said when WeCom asked whether their talk may be kept."""
    if (found := group()) is None:
        return
    for customer, agree in zip(found[1], GROUP_ANSWERS, strict=False):
        yield {"chat_id": found[0].chat_id, "external_userid": customer, "agree": agree}


def message(userid: str, customer: str, text: str, at: datetime, *, ours: bool) -> dict[str, Any]:
    sender, receiver = (userid, customer) if ours else (customer, userid)
    plain = {"action": "send", "from": sender, "tolist": [receiver], "roomid": "", "msgtype": "text"}
    return plain | {"msgtime": int(at.timestamp() * 1000), "text": {"content": text}}


def pairs(count: int = PAIRS) -> list[tuple[str, str]]:
    follows = Follow.objects.filter(ended_at=None).order_by("-added_at", "id")
    return list(follows.values_list("staff__userid", "customer__external_userid")[:count])


def examples() -> Iterator[dict[str, Any]]:
    """One message of every type, in the newest friendship's chat."""
    for userid, customer in pairs(1):
        yield {"userid": userid, "external_userid": customer}
