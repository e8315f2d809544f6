from tests.browser import console

__all__ = ["console"]
