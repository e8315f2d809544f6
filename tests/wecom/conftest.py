from tests.wecom.qyapi import qyapi

__all__ = ["qyapi"]
