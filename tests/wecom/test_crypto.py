import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wecom.forgery import AES_KEY, CORP, SUITE, TIME, TOKEN, XML, crypto, envelope, plain, sealed, signed
from wecom.crypto import MAX_BYTES, BadCallback, CallbackCrypto, read_query


def test_the_published_vector_opens():
    query = {
        "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "echostr": "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
    }

    assert crypto.echo(query) == "1616140317555161061"
    assert crypto.echo({**query, "echostr": query["echostr"].replace("+", " ")}) == "1616140317555161061"


@pytest.mark.parametrize("message", [b"", b"a", b"x" * 15, b"x" * 16, b"x" * 31, b"x" * 32, XML, b"x" * 5000])
def test_what_is_delivered_opens_again(message):
    query, body = crypto.deliver(message, CORP, TIME, "n0nce", "1000007")

    opened = crypto.open(query, body)

    assert opened == (message, TIME, CORP)
    assert crypto.decrypt_body(body) == (message, 0, CORP)


def test_a_passive_reply_is_signed_over_its_own_ciphertext():
    reply = crypto.seal(XML, CORP, TIME, "n0nce").decode()

    encrypted = reply.split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    assert signed(encrypted, nonce="n0nce")["msg_signature"] in reply
    assert crypto.open(signed(encrypted), reply.encode()).plaintext == XML


def test_a_suite_is_addressed_by_its_own_id():
    query, body = crypto.deliver(XML, SUITE, TIME, "n")

    assert crypto.open(query, body).receive_id == SUITE


@pytest.mark.parametrize("name", ["Encrypt", "encrypt", "ENCRYPT"])
def test_a_json_envelope_opens(name):
    encrypted = sealed(plain(XML))

    opened = crypto.open(signed(encrypted), json.dumps({"ToUserName": CORP, "AgentID": "", name: encrypted}).encode())

    assert opened.plaintext == XML


@pytest.mark.parametrize(
    "body",
    [
        "\ufeff<xml><Encrypt><![CDATA[{}]]></Encrypt></xml>",
        "<?xml version='1.0'?>\n<xml>\n <Encrypt>\n{}\n</Encrypt>\n</xml>\n",
        "<xml><!-- c --><Unknown><Deep/></Unknown><Encrypt> <![CDATA[{}]]></Encrypt></xml>",
        "<xml><ToUserName>a&amp;b</ToUserName><Encrypt>{}</Encrypt></xml>",
    ],
)
def test_an_unusual_envelope_opens(body):
    encrypted = sealed(plain(XML))

    assert crypto.open(signed(encrypted), body.format(encrypted).encode()).plaintext == XML


def test_a_stray_bit_in_the_last_character_of_the_key_is_forgiven():
    other = CallbackCrypto(TOKEN, AES_KEY[:-1] + "D", frozenset({CORP}))

    assert other.open(*crypto.deliver(XML, CORP, TIME, "n")).plaintext == XML


@pytest.mark.parametrize("key", ["", "short", AES_KEY + "=", AES_KEY[:-1] + "!", AES_KEY + "\n"])
def test_a_wrong_key_is_named_when_it_is_entered(key):
    with pytest.raises(ValueError, match="43 letters"):
        CallbackCrypto(TOKEN, key, frozenset({CORP}))


def refusal(query, body):
    with pytest.raises(BadCallback) as caught:
        crypto.open(query, body)
    return caught.value.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (plain(receive_id=b"ww-of-another-company"), "another receiver"),
        (plain(receive_id=b""), "another receiver"),
        (plain(receive_id=b"\xff\xfe"), "UTF-8"),
        (plain(b"\xff\xfe\xfd"), "UTF-8"),
        (plain(length=2**32 - 1), "length"),
        (plain(length=200), "length"),
        (plain(pad=bytes), "padding"),
        (plain(pad=lambda n: bytes((n,)) * (n - 1) + bytes((n + 32,))), "padding"),
        (plain(pad=lambda n: b"\x01" * (n - 1) + bytes((n,))), "padding"),
        (bytes(16), "short"),
    ],
)
def test_a_forged_plaintext_is_refused(content, reason):
    encrypted = sealed(content)

    assert reason in refusal(signed(encrypted), envelope(encrypted))


@pytest.mark.parametrize("encrypted", ["AAAA", "A", "====", "é", "AAAA\x00", "QUJD" * 5, "A" * 44])
def test_what_is_not_whole_blocks_of_base64_is_refused(encrypted):
    refusal(signed(encrypted), json.dumps({"Encrypt": encrypted}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"msg_signature": "0" * 40},
        {"msg_signature": ""},
        {"msg_signature": "é" * 20},
        {"msg_signature": None},
        {"msg_signature": ["a", "b"]},
        {"msg_signature": "\ud800"},
        {"timestamp": str(TIME + 1)},
        {"timestamp": "soon"},
        {"nonce": "other"},
        {"nonce": "\udcff"},
    ],
)
def test_a_wrong_query_is_refused(change):
    query, body = crypto.deliver(XML, CORP, TIME, "n")

    refusal({**query, **change}, body)


def test_a_correct_signature_over_a_time_that_is_none_is_refused():
    encrypted = sealed(plain())

    assert "timestamp" in refusal(signed(encrypted, timestamp="١٢٣"), envelope(encrypted))


def test_the_signature_of_another_company_does_not_open_ours():
    other = CallbackCrypto("another", AES_KEY, frozenset({CORP}))

    assert "signature" in refusal(*other.deliver(XML, CORP, TIME, "n"))


def test_a_swapped_body_is_refused():
    query, _ = crypto.deliver(XML, CORP, TIME, "n")
    _, body = crypto.deliver(b"<xml/>", CORP, TIME, "n")

    assert "signature" in refusal(query, body)


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10 * 1024 * 1024])
def test_a_body_too_large_is_not_even_parsed(size):
    assert refusal(signed("x"), b"<" * size) == "body too large"


def test_query_parameters_are_read_once_and_strictly():
    assert read_query("a=1&b=x%2By&c=") == {"a": "1", "b": "x+y", "c": ""}
    for query in ("a=1&a=1", "a=%ff", "&".join(f"p{n}=1" for n in range(30)), "a=" + "x" * 9000):
        with pytest.raises(BadCallback):
            read_query(query)


def test_neither_token_nor_key_is_shown():
    assert TOKEN not in repr(crypto)
    assert AES_KEY not in repr(crypto)


@given(st.binary(max_size=400), st.dictionaries(st.sampled_from(["msg_signature", "timestamp", "nonce"]), st.text()))
@settings(max_examples=400, deadline=None)
def test_no_bytes_raise_anything_else(body, query):
    for attempt in (lambda: crypto.open(query, body), lambda: crypto.decrypt_body(body), lambda: crypto.echo(query)):
        with pytest.raises(BadCallback):
            attempt()


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_no_mutation_of_a_real_callback_raises_anything_else(data):
    query, body = crypto.deliver(XML, CORP, TIME, "n")
    mutated = bytearray(body)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        mutated = mutated or bytearray(b" ")

    try:
        opened = crypto.open(query, bytes(mutated))
    except BadCallback:
        return

    assert opened.plaintext == XML  # the change was outside of what is signed


@given(st.binary(max_size=200))
@settings(max_examples=400, deadline=None)
def test_no_signed_ciphertext_raises_anything_else(content):
    encrypted = sealed(content + bytes(-len(content) % 16))

    with pytest.raises(BadCallback):
        crypto.open(signed(encrypted), envelope(encrypted))


@given(st.text(max_size=80))
@settings(max_examples=400, deadline=None)
def test_no_signed_text_raises_anything_else(encrypted):
    with pytest.raises(BadCallback):
        crypto.open(
            {"msg_signature": "x", "timestamp": "1", "nonce": encrypted}, json.dumps({"Encrypt": encrypted}).encode()
        )
