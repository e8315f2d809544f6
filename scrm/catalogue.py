"""The words of the product: Chinese in the code, English in one catalogue. Nothing of gettext's programs is needed."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message, TranslationError
from babel.messages.checkers import python_format
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.template.base import Lexer, Token, TokenType
from django.utils.translation import trim_whitespace
from django.utils.translation.template import block_re, constant_re, endblock_re, inline_re, plural_re

ROOT = Path(__file__).resolve().parent.parent
ENGLISH = Path("locale/en/LC_MESSAGES/django.po")
# what is not ours, not shown to operators, or speaks for itself
APART = {
    "node_modules",
    "var",
    "tests",
    "benchmarks",
    "sandbox",
    "wecom",
    "migrations",
    "static",
    "locale",
    "docs",
    "up",
}
CHINESE = re.compile(r"[\u3001-\u3011\u3400-\u9fff\uff01-\uff5e]")  # with its punctuation
HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)
SAID_TO_BE_CHINESE = re.compile(r'<(\w+)\b[^>]*\slang="zh[^>]*>.*?</\1>', re.DOTALL)  # as the name of a language is

# function -> the arguments that are (context, text, plural); None where it has none
FUNCTIONS: dict[str, tuple[int | None, int, int | None]] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), (None, 0, None)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (None, 0, 1)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), (0, 1, None)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (0, 1, 2)),
}


@dataclass(frozen=True, order=True)
class Text:
    """A text for operators and where it stands."""

    file: str
    line: int
    text: str
    plural: str = ""
    context: str = ""


@dataclass(frozen=True, order=True)
class Fault:
    """Something that would reach a reader of English in Chinese, or not at all."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


# -- finding -----------------------------------------------------------------------------------------------------------


def find(root: Path = ROOT) -> tuple[list[Text], list[Fault]]:
    """Every text of the code and the templates, and what is wrong with how it is written."""
    texts: list[Text] = []
    faults: list[Fault] = []
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        found = in_python(name, path.read_text()) if path.suffix == ".py" else in_template(name, path.read_text())
        for item in found:
            if isinstance(item, Text):
                texts.append(item)
            else:
                faults.append(item)
    return texts, faults


def sources(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in APART:
            continue
        if path.is_dir():
            yield from sources(path)
        elif path.suffix == ".py" or (path.suffix in {".html", ".txt"} and "templates" in path.parts):
            yield path


def in_python(name: str, source: str) -> Iterator[Text | Fault]:
    tree = ast.parse(source, name)
    named = renamed(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        function = named.get(function, function)
        if function not in FUNCTIONS:
            continue
        places = FUNCTIONS[function]
        context, text, plural = (constant(node, place) for place in places)
        if text is None or (places[2] is not None and plural is None) or (places[0] is not None and context is None):
            yield Fault(name, node.lineno, f"{function}() needs a plain string, else it can't be translated")
        elif text:
            yield Text(name, node.lineno, text, plural or "", context or "")


def renamed(tree: ast.Module) -> dict[str, str]:
    """The names under which a module imports gettext's functions: `from … import gettext as _now`."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {item.asname: item.name for one in imports for item in one.names if item.asname and item.name in FUNCTIONS}


def constant(call: ast.Call, place: int | None) -> str | None:
    """The argument if it is written out; adjoining strings are one constant to `ast`."""
    if place is None or place >= len(call.args):
        return None
    argument = call.args[place]
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


# -- templates ---------------------------------------------------------------------------------------------------------


def in_template(name: str, source: str) -> Iterator[Text | Fault]:
    shown = SAID_TO_BE_CHINESE.sub(lambda element: CHINESE.sub("-", element[0]), HIDDEN.sub(blank, source))
    tokens = iter(Lexer(shown).tokenize())
    for token in tokens:
        line = token.lineno or 0
        if token.token_type is TokenType.COMMENT:
            continue
        if token.token_type is TokenType.TEXT:
            yield from bare_chinese(name, line, token.contents)
            continue
        words = token.contents.split(maxsplit=1)
        if token.token_type is TokenType.BLOCK and words and words[0] == "comment":
            skip_comment(tokens)
        elif token.token_type is TokenType.BLOCK and (opening := block_re.match(token.contents)):
            yield block_text(name, token, tokens, opening)
            yield from constants(name, token)
        elif token.token_type is TokenType.BLOCK and (inline := inline_re.match(token.contents)):
            yield Text(name, line, unquote(inline[1]), context=unquote(inline[3]) if inline[3] else "")
        else:
            yield from constants(name, token)
            yield from bare_chinese(name, line, constant_re.sub("", token.contents))


def constants(name: str, token: Token) -> Iterator[Text]:
    """`_("…")` inside any tag or variable."""
    for quoted in constant_re.findall(token.contents):
        yield Text(name, token.lineno or 0, unquote(quoted))


def block_text(name: str, opening: Token, tokens: Iterator[Token], match: re.Match[str]) -> Text | Fault:
    """The text that {% blocktranslate %} looks up: variables by name, percent signs doubled."""
    parts: tuple[list[str], list[str]] = ([], [])
    plural = False
    for token in tokens:
        if token.token_type is TokenType.BLOCK and endblock_re.match(token.contents):
            break
        if token.token_type is TokenType.BLOCK and plural_re.match(token.contents):
            plural = True
        elif token.token_type is TokenType.VAR:
            parts[plural].append(f"%({token.contents})s")
        elif token.token_type is TokenType.TEXT:
            parts[plural].append(token.contents.replace("%", "%%"))
        elif token.token_type is TokenType.BLOCK:
            return Fault(name, token.lineno or 0, f"{{% {token.contents} %}} can't stand inside blocktranslate")
    one, many = ("".join(part) for part in parts)
    if re.search(r"\btrimmed\b", opening.contents):
        one, many = trim_whitespace(one), trim_whitespace(many)
    context = unquote(match[2]) if match[2] else ""
    return Text(name, opening.lineno or 0, one, many, context)


def skip_comment(tokens: Iterator[Token]) -> None:
    for token in tokens:
        if token.token_type is TokenType.BLOCK and token.contents == "endcomment":
            return


def bare_chinese(name: str, line: int, text: str) -> Iterator[Fault]:
    for offset, piece in enumerate(text.split("\n")):
        if CHINESE.search(piece):
            yield Fault(name, line + offset, f"not in a translate tag: {piece.strip()[:60]}")


def blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def unquote(quoted: str) -> str:
    inner = quoted[1:-1]
    return inner.replace(f"\\{quoted[0]}", quoted[0]).replace("\\\\", "\\")


# -- the English catalogue ---------------------------------------------------------------------------------------------


def wanted(texts: list[Text]) -> Catalog:
    """The catalogue that the code asks for, without translations."""
    catalog = Catalog(locale="en", domain="django", project="SCRM", fuzzy=False)
    for item in texts:
        key = (item.text, item.plural) if item.plural else item.text
        catalog.add(key, locations=[(item.file, 0)], context=item.context or None)
    return catalog


def read(root: Path = ROOT) -> Catalog:
    path = root / ENGLISH
    if not path.exists():
        return Catalog(locale="en", domain="django", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale="en", domain="django")


def update(root: Path = ROOT) -> Catalog:
    """Write the catalogue anew: texts that are gone leave it, new ones come in empty, the others keep their words."""
    texts, _faults = find(root)
    have, catalog = read(root), wanted(texts)
    for message in catalog:
        old = have.get(message.id, message.context) if message.id else None
        if old is not None and bool(old.pluralizable) == bool(message.pluralizable):
            message.string = old.string
            message.flags |= old.flags & {"fuzzy"}
    for message in catalog:
        message.locations = [(file, None) for file, _line in sorted(set(message.locations))]  # type: ignore[misc]
    path = root / ENGLISH
    path.parent.mkdir(parents=True, exist_ok=True)
    written = BytesIO()
    write_po(written, catalog, width=0, sort_by_file=True, omit_header=True)
    head = (
        'msgid ""\nmsgstr ""\n"Language: en\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    )
    path.write_text(head + written.getvalue().decode().strip() + "\n")
    return catalog


def check(root: Path = ROOT) -> list[str]:
    """What is missing, doubtful, unused or wrong, each in one line."""
    texts, faults = find(root)
    have, need = read(root), wanted(texts)
    found = [str(fault) for fault in sorted(faults)]
    first = {(item.context, item.text): f"{item.file}:{item.line}" for item in sorted(texts, reverse=True)}
    for message in need:
        if not message.id:
            continue
        text = first_form(message)
        translated = have.get(message.id, message.context)
        where = first[message.context or "", text]
        if translated is None or not all(strings(translated)):
            found.append(f"{where}: no English for “{text}”")
        elif translated.fuzzy:
            found.append(f"{where}: the English for “{text}” is marked fuzzy")
        elif reason := wrong_placeholders(translated):
            found.append(f"{where}: the English for “{text}” does not fit: {reason}")
    for message in have:
        if message.id and need.get(message.id, message.context) is None:
            text = first_form(message)
            found.append(f"{ENGLISH}: nothing uses “{text}”")
    return found


def first_form(message: Message) -> str:
    return str(message.id if isinstance(message.id, str) else message.id[0])


def strings(message: Message) -> tuple[str, ...]:
    return (message.string or "",) if isinstance(message.string, str | None) else tuple(map(str, message.string))


def wrong_placeholders(message: Message) -> str | None:
    """A placeholder that only one of the two has would break the page in one language."""
    try:
        python_format(None, message)
    except TranslationError as error:
        return str(error)
    texts = message.id if isinstance(message.id, tuple) else (message.id,)
    for text in strings(message):
        if odd := placeholders(*texts) ^ placeholders(text):
            return f"{odd.pop()} stands in one language only"
    return None


def placeholders(*texts: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)|\{\w*\}", " ".join(texts)))


def compile_all(root: Path = ROOT) -> list[Path]:
    """Every .po to its .mo, if the .po is newer."""
    made = []
    for source in sorted((root / "locale").glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalog = read_po(file, locale=source.parts[-3])
        compiled = BytesIO()
        write_mo(compiled, catalog)
        new = target.with_suffix(".mo.new")
        new.write_bytes(compiled.getvalue())
        new.rename(target)
        made.append(target)
    return made
