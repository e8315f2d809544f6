"""A message is checked for the way it will be sent, before anybody sends it, and becomes what WeCom takes."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from contacts.models import Follow
from content import media, messages
from content.forms import MessageField
from content.models import Material, TrackedLink
from content.storage import store
from tenants.models import Tenant
from tests.content.made import material
from tests.sandbox_server import Sandbox

ALL_USES = ["welcome", "mass", "group_mass", "sidebar"]


def problem(content: Any, use: str = "mass") -> str:
    with pytest.raises(ValidationError) as found:
        messages.clean(content, use=use)
    return " ".join(found.value.messages)


def ready(content: dict[str, Any]) -> None:
    for pair in messages.files_of(content):
        media.ready(*pair)


# -- what may be sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", ALL_USES)
def test_a_text_with_materials_is_kept_as_it_is(use: str, in_acme: Tenant) -> None:
    ids = [material("image").pk, material("link").pk]
    assert messages.clean({"text": " 您好\r\n看看新品 ", "materials": [str(ids[0]), ids[1], ids[0]]}, use=use) == {
        "text": "您好\n看看新品",
        "materials": ids,
    }


@pytest.mark.parametrize("content", [None, {}, {"text": "  ", "materials": []}, {"text": "\u200b\x00"}, "x", []])
def test_nothing_is_not_a_message(content: Any, in_acme: Tenant) -> None:
    assert "请填写内容" in problem(content)


def test_four_thousand_bytes_are_the_end(in_acme: Tenant) -> None:
    assert messages.clean({"text": "字" * 1333}, use="welcome")["text"]
    assert "超出 2 字节" in problem({"text": "字" * 1334}, "welcome")


def test_a_name_counts_as_long_as_it_may_get(in_acme: Tenant) -> None:
    assert "超出" in problem({"text": "字" * 1320 + "{客户昵称}"}, "welcome")


def test_nine_attachments_are_the_most(in_acme: Tenant) -> None:
    ids = [material("link", f"链接{number}").pk for number in range(10)]
    assert len(messages.clean({"text": "", "materials": ids[:9]}, use="mass")["materials"]) == 9
    assert "最多添加 9 个附件" in problem({"text": "", "materials": ids})


def test_a_deleted_material_is_named_as_a_problem(in_acme: Tenant) -> None:
    gone = material("link")
    Material.objects.filter(pk=gone.pk).update(archived_at=timezone.now())
    assert "有 1 个素材已被删除" in problem({"text": "好", "materials": [gone.pk]})
    assert "有 1 个素材已被删除" in problem({"text": "好", "materials": [10**12]})


@pytest.mark.parametrize(
    ("use", "text", "words"),
    [
        ("mass", "{客户昵称}您好", "同一条内容"),
        ("group_mass", "{客户昵称}您好", "客户群"),
        ("welcome", "{客户姓名}您好", "没有变量“客户姓名”"),
    ],
)
def test_a_variable_that_cannot_work_is_named(use: str, text: str, words: str, in_acme: Tenant) -> None:
    assert words in problem({"text": text}, use)


def test_braces_that_are_no_variable_stay_what_they_are(in_acme: Tenant) -> None:
    assert messages.clean({"text": "输入 {code} 立减 {10}"}, use="mass")["text"] == "输入 {code} 立减 {10}"


def test_a_text_material_is_sent_alone_in_the_sidebar_only(in_acme: Tenant) -> None:
    address = material("text")
    assert messages.clean({"materials": [address.pk]}, use="sidebar")
    assert "请把文字写进正文" in problem({"text": "好", "materials": [address.pk]}, "mass")


# -- what WeCom gets ---------------------------------------------------------------------------------------------------


def test_every_kind_becomes_an_attachment_that_wecom_takes(follow: Follow, sandbox: Sandbox) -> None:
    kinds = ["image", "link", "miniprogram", "video", "file"]
    content = {"text": "{员工姓名}为您推荐", "materials": [material(kind).pk for kind in kinds]}
    with pytest.raises(media.MediaNotReady) as waiting:
        messages.wecom_body(content, use="mass", staff=follow.staff)
    assert len(waiting.value.files) == 4

    ready(content)
    body = messages.wecom_body(content, use="mass", staff=follow.staff)

    assert body["text"]["content"] == f"{follow.staff.alias or follow.staff.name}为您推荐"
    assert [one["msgtype"] for one in body["attachments"]] == kinds
    from tenants.current import wecom_client

    answer = wecom_client().call(
        "externalcontact/add_msg_template",
        {
            "chat_type": "single",
            "external_userid": [follow.customer.external_userid],
            "sender": follow.staff.userid,
            **body,
        },
    )
    assert answer["msgid"]


def test_a_link_is_tracked_for_its_receiver_or_plain(follow: Follow) -> None:
    link, plain = material("link"), material("link", "不记录")
    Material.objects.filter(pk=plain.pk).update(tracked=False)
    content = {"text": "", "materials": [link.pk, plain.pk]}

    first, second = messages.wecom_body(content, use="welcome", staff=follow.staff, customer=follow.customer)[
        "attachments"
    ]

    row = TrackedLink.objects.get()
    assert (row.staff, row.customer) == (follow.staff, follow.customer)
    assert first["link"]["url"].endswith(f"/t/{row.token}")
    assert first["link"]["desc"] == "春季上新"
    assert second["link"]["url"] == "https://shop.example.com/spring?id=1"


def test_a_name_that_is_unknown_leaves_no_braces_behind(in_acme: Tenant) -> None:
    body = messages.wecom_body({"text": "{客户昵称}您好", "materials": []}, use="welcome", names={"客户昵称": ""})
    assert body == {"text": {"content": "您好"}}


def test_names_are_cut_so_that_the_text_fits(in_acme: Tenant) -> None:
    content = messages.clean({"text": "字" * 1300 + "{客户昵称}"}, use="welcome")
    body = messages.wecom_body(content, use="welcome", names={"客户昵称": "名" * 64})
    assert len(body["text"]["content"].encode()) <= 4000


def test_the_sidebar_gets_one_message_for_each_part(follow: Follow, sandbox: Sandbox) -> None:
    made = [material(kind) for kind in ["text", "image", "link", "file", "video", "miniprogram"]]
    content = messages.clean({"text": "{客户昵称}您好", "materials": [one.pk for one in made]}, use="sidebar")

    parts = messages.sidebar_parts(content, follow.staff, follow.customer)

    assert [part["send"]["msgtype"] for part in parts] == [
        "text",
        "text",
        "image",
        "news",
        "file",
        "video",
        "miniprogram",
    ]
    assert [part["part"] for part in parts] == messages.parts_of(content)
    assert parts[0]["send"]["text"]["content"] == f"{follow.customer.name[:20]}您好"
    assert parts[2]["send"]["image"]["mediaid"]
    assert "/t/" in parts[3]["send"]["news"]["link"]
    assert parts[6]["send"]["miniprogram"]["imgUrl"].startswith("http://acme.localhost")


# -- the form field ----------------------------------------------------------------------------------------------------


def test_the_field_reads_what_the_composer_posts(in_acme: Tenant) -> None:
    from django.http import QueryDict

    link = material("link")
    field = MessageField(use="mass")
    posted = QueryDict(mutable=True)
    posted["message_text"] = "看看"
    posted.setlist("message_materials", [str(link.pk)])

    value = field.widget.value_from_datadict(posted, {}, "message")

    assert field.clean(value) == {"text": "看看", "materials": [link.pk]}


def test_the_composer_shows_what_was_typed_and_what_is_attached(in_acme: Tenant) -> None:
    link = material("link", "<b>春季</b>")
    html = MessageField(use="welcome").widget.render(
        "message", {"text": "您好 </textarea>", "materials": [link.pk]}, {"id": "id_message"}
    )
    assert 'name="message_text"' in html
    assert f'name="message_materials" value="{link.pk}"' in html
    assert "&lt;b&gt;春季" in html
    assert "您好 &lt;/textarea&gt;" in html
    assert "{客户昵称}" in html
    assert "style=" not in html


def test_an_optional_field_takes_nothing_for_an_answer(in_acme: Tenant) -> None:
    assert MessageField(use="mass", required=False).clean(None) == {"text": "", "materials": []}
    with pytest.raises(ValidationError):
        MessageField(use="mass").clean({"text": " ", "materials": []})


def test_what_was_deleted_is_not_sent_but_named_where_it_can_be_removed(follow: Follow) -> None:
    gone = material("link", "旧链接")
    content = {"text": "您好", "materials": [gone.pk]}
    Material.objects.filter(pk=gone.pk).update(archived_at=timezone.now())

    assert messages.wecom_body(content, use="mass") == {"text": {"content": "您好"}}
    assert messages.parts_of(content) == [part["part"] for part in messages.sidebar_parts(content, follow.staff, None)]
    html = MessageField(use="mass").widget.render("message", content, {"id": "id_message"})
    assert "旧链接" in html
    assert "已删除，请移除" in html


def test_a_file_that_is_lost_is_said_in_words(follow: Follow) -> None:
    poster = material("image")
    store().delete(poster.file.key)
    with pytest.raises(ValidationError, match="重新上传"):
        messages.sidebar_parts({"materials": [poster.pk]}, follow.staff, None)


def test_a_preview_shows_the_bubbles(in_acme: Tenant) -> None:
    ids = [material("image").pk, material("link").pk]
    shown = messages.preview({"text": "{客户昵称}您好", "materials": ids})
    assert [bubble["kind"] for bubble in shown] == ["text", "image", "link"]
    assert shown[0]["text"] == "「客户昵称」您好"
