"""Which hosts may be called at all."""

import pytest

from wecom.wire import Wire, allowed_origin


@pytest.mark.parametrize(
    "url",
    [
        "https://qyapi.weixin.qq.com",
        "https://qyapi.weixin.qq.com/",
        "http://localhost:8100",
        "http://127.0.0.1:8100",
        "http://[::1]:8100",
    ],
)
def test_wecom_and_this_machine_may_be_called(url):
    assert allowed_origin(url).prefix == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://qyapi.weixin.qq.com",
        "https://qyapi.weixin.qq.com.evil.example",
        "https://evil.example",
        "http://10.0.0.5:8100",
        "http://169.254.169.254/",
        "https://user@qyapi.weixin.qq.com",
        "ftp://localhost",
        "file:///etc/passwd",
        "//localhost",
        "",
    ],
)
def test_nothing_else_may_be_called(url):
    with pytest.raises(ValueError, match="WeCom address"):
        Wire(url)


def test_a_host_that_the_deployment_names_may_be_called():
    assert allowed_origin("http://sandbox:8100", frozenset({"sandbox"})).port == 8100


def test_no_path_can_lead_to_another_host(qyapi):
    with pytest.raises(ValueError, match="not a plain API call"):
        qyapi.client()._work.get("https://evil.example/x")
