"""A stretch of plausible talk: members with their customers, and groups, in working hours of the days before now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from sandbox import conversations
from sandbox.corp import Corp
from sandbox.objects import Follow, GroupChat

CHINA = timezone(timedelta(hours=8))
Line = tuple[float, str, list[str], str, dict[str, Any], str]  # at, sender, receivers, kind, payload, chat_id

# one talk a paragraph; "-" the customer, "+" the member, "*" a card of the member
PAIRS = """
- 你好，想了解一下会员卡
+ 您好！会员卡分银卡和金卡，金卡全年九折，还送两次护理
- 金卡多少钱一年
+ 金卡 399 元，这周办理再送一盒面膜
* 会员手册
- 好的，我先看看

- 上次买的护肤套装快用完了，还有活动吗
+ 有的，老客户复购第二件半价，您上次用的是滋润款对吗
- 对，滋润款
+ 那我给您留两套，您是到店取还是寄过去？
- 寄过去吧，地址没变
+ 好的，今天下午发顺丰，单号晚点发您

- 周六店里几点开门
+ 周六上午十点到晚上九点，您大概几点到？我帮您预约
- 下午三点左右，带孩子一起
+ 三点给您留好位置，儿童区有老师照看
- 太好了，谢谢

- 这个精华孕妇可以用吗
+ 这款含有水杨酸，孕期不建议使用。我给您推荐舒缓系列，成分更温和
* 舒缓系列成分表
- 有试用装吗
+ 有的，到店可以领，也可以随单寄一份

- 我想退货，颜色和图片不一样
+ 非常抱歉给您添麻烦了，您方便拍张照片发我吗？
- 在公司，晚上拍给你
+ 好的，七天内支持无理由退换，运费我们承担

- 发票可以开公司抬头吗
+ 可以的，麻烦您把抬头和税号发我
- 广州远山贸易有限公司，税号晚点发
+ 收到，开好后电子发票发到这里

+ 您好，上周寄的样品收到了吗？
- 收到了，味道很好闻
+ 那太好了！如果满意，企业定制可以印贵司的标志，一百份起做
- 一百份什么价
* 企业定制报价单
- 我跟老板商量一下，下周答复你
+ 好的，不着急，有任何问题随时找我

+ 您好，您预约的周五护理还剩一天，需要帮您改时间吗？
- 不用，准时到
+ 好的，到店报手机尾号就行，停车可以免费两小时

- 隔壁店比你们便宜五十
+ 理解您的顾虑，我们的是正品专柜货，带防伪码，并且一年内免费换新
- 那能送点什么吗
+ 我帮您申请一份旅行装，再给您包邮，您看可以吗
- 行，那下单

- 快递三天了还没到
+ 抱歉让您久等，我马上查一下
+ 查到了，卡在分拨中心，今天晚上派送，我盯着
- 好
- 收到了，包装有点压坏
+ 给您补一份赠品，下次一起寄，实在不好意思

- 朋友推荐我来的，说你们儿童系列不错
+ 谢谢您和您朋友！宝宝多大了？
- 三岁半
+ 那用温和洗护两件套就够了，三到六岁都适合
* 儿童系列介绍
- 下单了，什么时候发
+ 今天四点前的单今天发

+ 新品上市啦，给老客户留了二十份体验装，您要一份吗？
- 要要要
+ 地址还是天河那边吗？
- 对
+ 好的，明天寄出
"""
GROUPS = """
+ 各位早上好，今天新品到店，群内下单九折
- 还有洗发水吗
+ 有的，三瓶装今天特价
- 来一套

- 请问明天几点开始直播
+ 晚上八点，前一百名下单送面膜
- 收到

- 有人用过新出的面霜吗
- 用过，挺滋润的
+ 谢谢支持！晒单有小礼品哦

+ 温馨提示：中秋期间门店照常营业，快递停发两天
- 好的谢谢提醒
"""


def paragraphs(text: str) -> list[list[tuple[str, str]]]:
    return [[(line[0], line[2:]) for line in part.splitlines()] for part in text.strip().split("\n\n")]


def moments(rng: Random, now: float, days: int, count: int) -> Iterator[float]:
    """When talks begin: between nine in the morning and eight in the evening, more of them lately."""
    today = datetime.fromtimestamp(now, CHINA).replace(hour=9, minute=0, second=0, microsecond=0)
    while count:
        at = (today - timedelta(days=int(days * rng.random() ** 1.5), seconds=-rng.randrange(11 * 3600))).timestamp()
        if at < now - 1800:
            count -= 1
            yield at
        elif today.timestamp() > now - 3600:  # an early hour: nothing of today has passed yet
            today -= timedelta(days=1)


def card(title: str) -> dict[str, Any]:
    return {"title": title, "desc": "点击查看详情", "url": "https://example.com/materials"}


def pair_lines(corp: Corp, rng: Random, follow: Follow, at: float) -> Iterator[Line]:
    for who, words in rng.choice(paragraphs(PAIRS)):
        sender, other = follow.userid, follow.external_userid
        if who == "-":
            sender, other = other, sender
        kind = "link" if who == "*" else "text"
        yield at, sender, [other], kind, card(words) if who == "*" else {"content": words}, ""
        at += rng.randrange(8, 150)


def group_lines(corp: Corp, rng: Random, group: GroupChat, at: float) -> Iterator[Line]:
    outsiders = [seat.userid for seat in group.members.values() if seat.type == 2 and seat.join_time < at]
    if not outsiders or group.create_time > at:
        return
    for who, words in rng.choice(paragraphs(GROUPS)):
        sender = group.owner if who == "+" else rng.choice(outsiders)
        yield at, sender, [], "text", {"content": words}, group.chat_id
        at += rng.randrange(8, 200)


def play(corp: Corp, now: float, days: int, talks: int, seed: Any = None) -> int:
    """So many talks over the last days, told in the order of time; says how many messages that made."""
    rng = Random(seed) if seed is not None else corp.random
    friends = [tie for tie in corp.follows() if not tie.one_way and tie.userid.lower() in corp.staff]
    groups = [group for group in corp.groups.values() if not group.dismissed]
    lines: list[Line] = []
    for number, at in enumerate(moments(rng, now, days, talks)):
        if groups and number % 6 == 5:
            lines.extend(group_lines(corp, rng, rng.choice(groups), at))
        known = [tie for tie in rng.sample(friends, min(20, len(friends))) if tie.createtime < at]
        if known:
            known[0].chat_begun = True
            corp.touch("customer", known[0].external_userid)
            lines.extend(pair_lines(corp, rng, known[0], at))
    lines.sort(key=lambda line: line[0])
    for at, sender, receivers, kind, payload, chat_id in lines:
        if at < now:
            conversations.say(corp, sender, receivers, kind, payload, chat_id=chat_id, at=at)
    return len(lines)
