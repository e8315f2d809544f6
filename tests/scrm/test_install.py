import json
import re
from pathlib import Path

import pytest

from scrm.up import install

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock", "requirements-node.lock")


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_every_python_package_is_held_by_its_hash_and_no_address_is_named(name):
    lock = (ROOT / name).read_text()

    assert "://" not in lock
    packages = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    assert packages
    assert all("--hash=sha256:" in package for package in packages)


def test_the_tools_bring_no_other_versions_than_those_that_run():
    tools = pins("requirements-dev.lock")

    assert {name: tools.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")


def test_every_front_end_package_is_held_by_its_hash_and_no_address_is_named():
    lock = (ROOT / "package-lock.json").read_text()

    packages = [package for path, package in json.loads(lock)["packages"].items() if path]
    assert "resolved" not in lock
    assert all(package["integrity"].startswith("sha512-") for package in packages)


def test_what_is_copied_for_the_browser_is_there_and_names_no_map():
    package = json.loads((ROOT / "package.json").read_text())

    for name in [*package["vendor"].values(), package["icons"]["to"]]:
        assert "sourceMappingURL" not in (install.VENDOR / name).read_text()


def test_every_icon_that_a_page_names_is_in_the_sprite():
    sprite = (install.VENDOR / "icons.svg").read_text()
    named = {
        name
        for page in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r"{% icon \"([a-z0-9-]+)\"", page.read_text())
    }

    assert {name for name in named if f'id="{name}"' not in sprite} == set()


def test_an_icon_keeps_its_shapes_and_loses_its_frame():
    svg = '<svg\n  width="24"\n>\n  <path stroke="none" d="M0 0h24v24H0z" fill="none" />\n  <path d="M5 7" />\n</svg>'

    assert '<symbol id="user" viewBox="0 0 24 24"><path d="M5 7" /></symbol>' in install.sprite({"user": svg})


def test_a_mirror_in_pips_own_configuration_serves_uv_too(tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror.example/simple\nextra-index-url =\n  https://a/\n  https://b/\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "mirror.example")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("UV_INDEX", raising=False)

    environment = install.uv_environment()

    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["UV_INDEX"].endswith("https://a/ https://b/")
    assert environment["UV_INSECURE_HOST"] == "mirror.example"
    assert environment["UV_PYTHON_DOWNLOADS"] == "never"


def test_uvs_own_configuration_wins(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.example/simple")

    assert install.uv_environment()["UV_DEFAULT_INDEX"] == "https://other.example/simple"
