"""Every WeCom event we handle and every reaction across apps. Read this file first.

Connected once, when Django starts. An event that is named nowhere here is stored, counted and marked done.
"""


def connect() -> None:
    """Fill the registries of the lower layers."""
