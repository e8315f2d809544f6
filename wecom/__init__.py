"""The WeCom (企业微信) protocol: callbacks in, calls out. Plain Python, no Django, no Celery."""
