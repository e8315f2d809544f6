from pathlib import Path

import pytest

from scrm import catalogue
from scrm.catalogue import Fault, Text


def texts(source: str) -> list[tuple[str, str, str]]:
    return [(found.text, found.plural, found.context) for found in catalogue.in_template("page.html", source)]


def test_python_texts_are_found_with_their_plural_and_context():
    source = 'a = _("客户" "列表")\nb = ngettext("%d 个客户", "%d 个客户们", n)\nc = pgettext_lazy("动词", "标签")\n'

    assert sorted(catalogue.in_python("views.py", source)) == [
        Text("views.py", 1, "客户列表"),
        Text("views.py", 2, "%d 个客户", "%d 个客户们"),
        Text("views.py", 3, "标签", "", "动词"),
    ]


def test_a_function_of_gettext_imported_under_another_name_is_known():
    source = 'from django.utils.translation import gettext as _now\na = _now("客户")\n'

    assert list(catalogue.in_python("views.py", source)) == [Text("views.py", 2, "客户")]


def test_a_text_that_is_put_together_while_running_is_named():
    (fault,) = catalogue.in_python("views.py", 'x = 1\ny = _(f"{x} 位客户")\n')

    assert isinstance(fault, Fault)
    assert str(fault).startswith("views.py:2: _() needs a plain string")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{% translate "客户" %}', [("客户", "", "")]),
        ("{% translate '客户' as title %}", [("客户", "", "")]),
        ('{% translate "标签" context "动词" %}', [("标签", "", "动词")]),
        ('{% include "a.html" with title=_("客户") %}', [("客户", "", "")]),
        ('{{ name|default:_("无") }}', [("无", "", "")]),
        ("{% blocktranslate %}你好 {{ name }}，100%{% endblocktranslate %}", [("你好 %(name)s，100%%", "", "")]),
        ("{% blocktranslate trimmed %}\n  你好\n  世界\n{% endblocktranslate %}", [("你好 世界", "", "")]),
        (
            "{% blocktranslate count n=n %}{{ n }} 位{% plural %}{{ n }} 位们{% endblocktranslate %}",
            [("%(n)s 位", "%(n)s 位们", "")],
        ),
        ('{% blocktranslate context "动词" %}标签{% endblocktranslate %}', [("标签", "", "动词")]),
        ("{# 客户 #}{% comment %}客户{% endcomment %}<!-- 客户 -->", []),
    ],
)
def test_template_texts_are_found(source, found):
    assert texts(source) == found


def test_chinese_outside_a_translate_tag_is_named_with_its_line():
    faults = list(catalogue.in_template("page.html", '<h1>\n客户列表</h1>\n{% icon "x" title="标签" %}'))

    assert [str(fault) for fault in faults] == [
        "page.html:2: not in a translate tag: 客户列表</h1>",
        'page.html:3: not in a translate tag: icon "x" title="标签"',
    ]


def test_chinese_punctuation_is_chinese():
    assert list(catalogue.in_template("page.html", "{{ label }}：{{ value }}"))


def test_the_name_of_a_language_stays_in_its_language():
    source = '<button lang="zh-Hans" aria-label="切换到中文">{% icon "language" %}<span>中文</span></button>'

    assert list(catalogue.in_template("page.html", source)) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "views.py").write_text('a = _("客户")\nb = _("你好 %(name)s")\nc = ngettext("%d 个", "%d 个们", n)\n')
    return tmp_path


def write(project: Path, *entries: str) -> None:
    po = project / catalogue.ENGLISH
    po.parent.mkdir(parents=True, exist_ok=True)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    head += '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'
    po.write_text("\n\n".join([head, *entries]))


GREETING = '#, python-format\nmsgid "你好 %(name)s"\nmsgstr "Hello %(name)s"'
COUNT = '#, python-format\nmsgid "%d 个"\nmsgid_plural "%d 个们"\nmsgstr[0] "%d piece"\nmsgstr[1] "%d pieces"'
CUSTOMER = 'msgid "客户"\nmsgstr "Customer"'


def test_a_complete_catalogue_passes(project):
    write(project, CUSTOMER, GREETING, COUNT)

    assert catalogue.check(project) == []


def test_each_missing_fuzzy_unused_and_unfitting_text_is_named(project):
    write(
        project,
        f"#, fuzzy\n{CUSTOMER}",
        GREETING.replace("Hello %(name)s", "Hello %(nam)s"),
        'msgid "旧"\nmsgstr "Old"',
    )

    customer, greeting, count, unused = sorted(catalogue.check(project), key=lambda line: "views.py" not in line)

    assert customer == "views.py:1: the English for “客户” is marked fuzzy"
    assert greeting.startswith("views.py:2: the English for “你好 %(name)s” does not fit")
    assert count == "views.py:3: no English for “%d 个”"
    assert unused == "locale/en/LC_MESSAGES/django.po: nothing uses “旧”"


def test_an_update_keeps_the_words_and_drops_what_is_unused(project):
    write(project, CUSTOMER, 'msgid "旧"\nmsgstr "Old"')

    catalogue.update(project)

    text = (project / catalogue.ENGLISH).read_text()
    assert 'msgid "客户"\nmsgstr "Customer"' in text
    assert 'msgid "你好 %(name)s"\nmsgstr ""' in text
    assert "旧" not in text
    assert len(catalogue.check(project)) == 2  # the two new ones have no English yet


def test_an_update_of_what_is_current_changes_nothing(project):
    catalogue.update(project)
    before = (project / catalogue.ENGLISH).read_bytes()

    catalogue.update(project)

    assert (project / catalogue.ENGLISH).read_bytes() == before


def test_the_compiled_catalogue_is_what_gettext_reads(project):
    write(project, CUSTOMER, GREETING, COUNT)

    (compiled,) = catalogue.compile_all(project)

    import gettext

    with compiled.open("rb") as file:
        english = gettext.GNUTranslations(file)
    assert english.gettext("客户") == "Customer"
    assert english.ngettext("%d 个", "%d 个们", 2) == "%d pieces"
    assert catalogue.compile_all(project) == []
