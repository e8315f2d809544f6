"""The sidebar opens on a phone's network: everything it loads weighs at most 70 kB, gzipped."""

import gzip
import re

from django.contrib.staticfiles import finders

from tests.sidebar.conftest import Seller

MOST = 70_000
LINKED = re.compile(rb'(?:href|src)="(/static/[^"]+)"')


def weight(body: bytes) -> int:
    return len(gzip.compress(body))


def test_the_page_with_all_it_loads(seller: Seller) -> None:
    shell = seller.client.get("/sidebar/").content
    card = seller.client.get(seller.url()).content
    total = weight(shell) + weight(card)
    files = [name.decode() for name in LINKED.findall(shell)]
    assert len(files) > 5
    for name in files:
        if not name.endswith(".svg"):  # the icon of the tab is asked for by no client
            path = finders.find(re.sub(r"\.[0-9a-f]{12}\.", ".", name).removeprefix("/static/"))
            assert path, name
            with open(path, "rb") as file:
                total += weight(file.read())
    assert total <= MOST, total
