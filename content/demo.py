"""The demo company's library: what a shop for home and skin care keeps at hand, and a month of use."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from contacts import bulk
from contacts.bulk.timeline import Entry, write_timeline
from contacts.models import Follow, TimelineEntry
from content import files, materials, scripts
from content.kinds import FILE_RULES
from content.models import Folder, LinkOpen, Material, Script, Sending, TrackedLink

Kind = Material.Kind
BY = "boss"
HISTORY_DAYS = 30

FOLDERS = {
    Folder.Of.MATERIALS: ["新品上市", "会员权益", "门店服务"],
    Folder.Of.SCRIPTS: ["首次问候", "产品咨询", "售后与物流", "会员与活动"],
}
SITE = "https://www.example.com/qinghe"
# kind, title, folder, what the kind needs
MATERIALS: list[tuple[str, str, str, dict[str, str]]] = [
    (Kind.IMAGE, "秋冬新品主视觉", "新品上市", {"colours": "d98f5a 7a3e2b"}),
    (Kind.IMAGE, "会员日福利图", "会员权益", {"colours": "f2c14e c2571a"}),
    (Kind.IMAGE, "到店路线图", "门店服务", {"colours": "5aa9d9 1d4e89"}),
    (
        Kind.LINK,
        "秋冬新品手册",
        "新品上市",
        {"colours": "c9a27e 6b4a35", "url": f"{SITE}/autumn", "desc": "12 款新品的成分、用法与搭配建议"},
    ),
    (
        Kind.LINK,
        "会员权益说明",
        "会员权益",
        {"colours": "e8c9a0 b07a4a", "url": f"{SITE}/member", "desc": "积分、生日礼、免邮门槛一页看懂"},
    ),
    (
        Kind.LINK,
        "换季护肤怎么选",
        "新品上市",
        {"colours": "a9c8b4 4f7d68", "url": f"{SITE}/guide", "desc": "按肤质分三步，附产品对照表"},
    ),
    (Kind.FILE, "2026 秋冬价目表", "新品上市", {"name": "2026秋冬价目表.pdf"}),
    (Kind.FILE, "企业团购合作手册", "门店服务", {"name": "企业团购合作手册.docx"}),
    (
        Kind.MINIPROGRAM,
        "青禾商城",
        "会员权益",
        {"colours": "8fb996 3f6b4f", "appid": "wx5f2c9a7be1d34c0f", "page": "pages/home/index.html"},
    ),
    (
        Kind.TEXT,
        "门店地址与营业时间",
        "门店服务",
        {"text": "人民路旗舰店：人民路 188 号一层\n营业时间：10:00–22:00\n电话：021-5555 0188"},
    ),
]
# title, folder, text, titles of materials
SCRIPTS: list[tuple[str, str, str, list[str]]] = [
    (
        "首次添加问候",
        "首次问候",
        "{客户昵称}您好，我是青禾生活的{员工姓名}，以后新品、订单、到店的事都可以直接找我～",
        [],
    ),
    ("发新品手册", "首次问候", "这是我们这一季的新品手册，您有空翻翻，有喜欢的告诉我，我给您留货。", ["秋冬新品手册"]),
    (
        "约到店体验",
        "首次问候",
        "周末方便来店里坐坐吗？我给您预留肤质检测，大约 15 分钟。",
        ["到店路线图", "门店地址与营业时间"],
    ),
    (
        "敏感肌能用吗",
        "产品咨询",
        "这一款不含酒精和香精，做过敏感肌测试。第一次用建议先在耳后试一天，没有泛红再上脸。",
        ["换季护肤怎么选"],
    ),
    (
        "价格能便宜吗",
        "产品咨询",
        "单品是全国统一价。会员日两件 88 折，您现在下单我也可以申请送同系列小样。",
        ["2026 秋冬价目表", "会员日福利图"],
    ),
    ("和别家有什么不同", "产品咨询", "我们的原料都能查到批次，开封 30 天内不适合可以退，这一点您可以放心。", []),
    ("多久能到货", "售后与物流", "现货当天发，江浙沪次日到，其他地区两到三天。发出后我把单号发您。", []),
    (
        "想退换货",
        "售后与物流",
        "可以的。麻烦您拍一张产品和订单号的照片给我，我这边提交后一到两个工作日会有快递上门取件。",
        [],
    ),
    ("物流显示异常", "售后与物流", "我帮您催一下快递，今天下班前给您回复。如果明天还没更新，我直接给您补发一份。", []),
    (
        "会员怎么升级",
        "会员与活动",
        "近一年消费满 2000 元自动升级银卡，生日当月有双倍积分和一份礼物。",
        ["会员权益说明"],
    ),
    ("商城下单入口", "会员与活动", "点这个小程序就能下单，会员价自动生效，满 199 元包邮。", ["青禾商城"]),
    (
        "企业团购咨询",
        "会员与活动",
        "20 份起有团购价，可以加印祝福卡。这是合作手册，您看看需要哪一档，我来报价。",
        ["企业团购合作手册"],
    ),
]


@transaction.atomic
def fill() -> None:
    """Repeatable: a library that somebody has begun to fill is left alone."""
    if Material.objects.exists() or Script.objects.exists():
        return
    folders = {
        name: Folder.objects.get_or_create(of=of, name=name, parent=None, defaults={"order": place})[0]
        for of, names in FOLDERS.items()
        for place, name in enumerate(names)
    }
    made = {title: _material(kind, title, folders[folder], facts) for kind, title, folder, facts in MATERIALS}
    for title, folder, text, attached in SCRIPTS:
        content = {"text": text, "materials": [made[one].pk for one in attached]}
        scripts.save(Script(created_by=BY), title=title, content=content, folder=folders[folder])


def _material(kind: str, title: str, folder: Folder, facts: dict[str, str]) -> Material:
    name, body = f"{title}.png", b""
    if kind == Kind.FILE:
        name = facts["name"]
        body = sheet(title) if name.endswith(".pdf") else letter(title)
    elif kind != Kind.TEXT:
        top, bottom = facts["colours"].split()
        body = drawing(top, bottom)
    file = files.keep(io.BytesIO(body), name, len(body), FILE_RULES[kind]) if body else None
    return materials.save(Material(kind=kind, created_by=BY), title=title, given=facts, file=file, folder=folder)


# -- a month of use ----------------------------------------------------------------------------------------------------


@transaction.atomic
def history() -> None:
    """Sales sent things, customers opened links: the same in every demo."""
    if Sending.objects.exists():
        return
    chance = random.Random(20_26)
    follows = list(Follow.objects.living().select_related("staff", "customer").order_by("pk")[:400])
    links = list(Material.objects.filter(kind=Kind.LINK).order_by("pk"))
    known = list(Script.objects.order_by("pk"))
    if not follows or not links or not known:
        return
    entries: list[Entry] = []
    opened: dict[int, datetime] = {}
    now = timezone.now()
    for number, follow in enumerate(chance.sample(follows, min(160, len(follows)))):
        at = now - timedelta(minutes=chance.randrange(60, HISTORY_DAYS * 24 * 60))
        script = chance.choice(known) if number % 3 else None
        material = None if script else chance.choice(links)
        key = f"demo:{number}"
        Sending.objects.create(
            key=key,
            staff=follow.staff,
            customer=follow.customer,
            script=script,
            material=material,
            via="sidebar",
            at=at,
        )
        what = {
            "material": material.title if material else "",
            "script": script.title if script else "",
            "via": "sidebar",
        }
        entries.append(_entry(f"sent:{key}", TimelineEntry.Kind.CONTENT_SENT, follow, at, what))
        if script:
            Script.objects.filter(pk=script.pk).update(uses=F("uses") + 1)
        if material:
            Material.objects.filter(pk=material.pk).update(uses=F("uses") + 1)
            if chance.random() < 0.7:
                seen = min(now - timedelta(minutes=5), at + timedelta(minutes=chance.randrange(2, 900)))
                entries.append(_opening(follow, material, seen))
                opened[follow.customer_id] = max(seen, opened.get(follow.customer_id, seen))
    write_timeline(entries, source=TimelineEntry.Source.SIDEBAR)
    bulk.touch(last_opened_at=opened)


def _opening(follow: Follow, material: Material, at: datetime) -> Entry:
    link, _ = TrackedLink.objects.get_or_create(material=material, staff=follow.staff, customer=follow.customer)
    TrackedLink.objects.filter(pk=link.pk).update(opens=F("opens") + 1)
    visit = LinkOpen.objects.create(link=link, visitor=f"{link.pk:032x}", at=at, told_at=at)
    told = {"material": material.title, "material_id": material.pk, "opens": link.opens + 1}
    return _entry(f"opened:{visit.pk}", TimelineEntry.Kind.LINK_OPENED, follow, at, told)


def _entry(key: str, kind: str, follow: Follow, at: datetime, payload: Mapping[str, Any]) -> Entry:
    return Entry(key, kind, at, customer_id=follow.customer_id, staff_id=follow.staff_id, payload=dict(payload))


# -- files of our own making -------------------------------------------------------------------------------------------


def drawing(top: str, bottom: str, width: int = 640, height: int = 512) -> bytes:
    """A PNG: an evening sky in two colours, with a sun."""
    first, last = bytes.fromhex(top), bytes.fromhex(bottom)
    rows = bytearray()
    for y in range(height):
        share = y / height
        colour = bytes(round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
        row = bytearray(colour * width)
        reach = 90 * 90 - (y - height * 2 // 5) ** 2
        if reach > 0:
            half = int(reach**0.5)
            light = bytes(min(255, part + 60) for part in colour)
            row[(width // 2 - half) * 3 : (width // 2 + half) * 3] = light * (2 * half)
        rows += b"\x00" + row
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def sheet(title: str) -> bytes:
    """A PDF of one page, in a typeface that every reader has."""
    lines = [
        title,
        "",
        "柔肤洁面乳 120ml      98 元",
        "舒缓精华水 150ml     168 元",
        "修护面霜 50g         258 元",
        "护手霜三支装          89 元",
    ]
    text = "".join(f"<{line.encode('utf-16-be').hex()}> Tj 0 -28 Td\n" for line in lines)
    stream = f"BT /F1 18 Tf 72 760 Td\n{text}ET".encode()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[6 0 R]>>",
        (
            b"<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>>>"
        ),
    ]
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return body + end % (len(parts) + 1, table, len(parts) + 1, len(body))


def letter(title: str) -> bytes:
    """A Word document of a few lines."""
    lines = [title, "20 份起享团购价，50 份起可加印祝福卡。", "下单后 7 个工作日内送达，支持分批配送。"]
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    text = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in lines)
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    packages = "http://schemas.openxmlformats.org/package/2006"
    inside = {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="r1" Type="{relation}" '
        'Target="word/document.xml"/></Relationships>',
        "word/document.xml": f"<w:document {space}><w:body>{text}</w:body></w:document>",
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        for name, body in inside.items():
            written.writestr(name, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{body}')
    return made.getvalue()
