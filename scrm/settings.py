"""All settings in one file; every value from the environment is typed, and a typo is refused."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from tenants import logging

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """The variable, or the content of the file that `<name>_FILE` points to."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get(name, default)


def env_int(name: str, default: int) -> int:
    value = env(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number") from error


def env_bool(name: str, default: bool) -> bool:
    value = env(name, "1" if default else "0").lower()
    if value not in {"0", "1", "true", "false"}:
        raise ImproperlyConfigured(f"{name}={value!r}: expected 0 or 1")
    return value in {"1", "true"}


# -- the place ---------------------------------------------------------------------------------------------------------
DATA_DIR = Path(env("SCRM_DATA", str(BASE_DIR / "var"))).resolve()
PORT = env_int("SCRM_PORT", 8000)
BASE_DOMAIN = env("SCRM_BASE_DOMAIN", "localhost")
DEBUG = env_bool("SCRM_DEBUG", False)
HTTPS = env_bool("SCRM_HTTPS", BASE_DOMAIN != "localhost")
PUBLIC_URL_SUFFIX = "" if HTTPS else f":{PORT}"  # behind a TLS proxy no port is shown
# the web process as the sandbox and our own commands reach it, past any proxy
INTERNAL_URL = env("SCRM_INTERNAL_URL", f"http://127.0.0.1:{PORT}").rstrip("/")

INSECURE_SECRET = "insecure-only-for-checks-without-a-server"
SECRET_KEY = env("SCRM_SECRET_KEY") or INSECURE_SECRET
# "id:base64 of 32 bytes", newest first, comma separated: the first wraps, all unwrap
INSECURE_KEK = "dev:" + "A" * 43 + "="
KEKS = env("SCRM_KEK") or INSECURE_KEK

# -- apps --------------------------------------------------------------------------------------------------------------
SHARED_APPS = [
    "unfold",
    "django_tenants",
    "tenants",
    "callbacks",
    "accounts",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.admin",
    "django_htmx",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "scrm",
]
TENANT_APPS = [
    "accounts",
    "django.contrib.sessions",
    "console",
    "members",
    "contacts",
    "tagging",
    "content",
    "acquisition",
    "broadcasts",
    "sop",
    "archive",
    "sidebar",
    "integrations",
    "insights",
]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Operator"

# -- tenancy -----------------------------------------------------------------------------------------------------------
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_URLCONF = "scrm.urls_ops"
ROOT_URLCONF = "scrm.urls"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_LIMIT_SET_CALLS = True
EXTRA_SET_TENANT_METHOD_PATH = "tenants.recycling.count_tenants"
TENANT_COLOR_ADMIN_APPS = False
TEMPLATE_SCHEMA = "tenant_template"  # migrated like a tenant, never served: new tenants are copies of its DDL

ALLOWED_HOSTS = ["*"]  # the tenant middleware answers 404 for a host that is in no tenant's domain table
MIDDLEWARE = [
    "tenants.middleware.RequestContext",
    "tenants.middleware.TenantByHost",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "scrm.policy.ContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "scrm.language.Language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
WSGI_APPLICATION = "scrm.wsgi.application"

# -- Postgres and Redis ------------------------------------------------------------------------------------------------
DATABASE_URL = env("DATABASE_URL", "postgresql://scrm@127.0.0.1:5432/scrm")


def database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    return {
        "ENGINE": "tenants.postgres",
        "NAME": parts.path.lstrip("/") or "scrm",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 3, "options": "-c jit=off", "application_name": "scrm"},
    }


DATABASES = {"default": database(DATABASE_URL)}
REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_FUNCTION": "tenants.isolation.cache_key",
        "TIMEOUT": 300,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# -- WeCom -------------------------------------------------------------------------------------------------------------
WECOM_OAUTH_BASE = env("WECOM_OAUTH_BASE", "https://open.weixin.qq.com")
WECOM_INSTALL_BASE = env("WECOM_INSTALL_BASE", "https://open.work.weixin.qq.com").rstrip("/")
WECOM_API_BASE = env("WECOM_API_BASE", "https://qyapi.weixin.qq.com").rstrip("/")
# hosts besides loopback to which plain HTTP is allowed: the sandbox of docker-compose.yml
WECOM_TRUSTED_HOSTS = [host for host in env("WECOM_TRUSTED_HOSTS").split(",") if host]
# the native library of the session archive: a path, or `auto` for an installed package; it takes a proxy of its own
WECOM_FINANCE_SDK = env("WECOM_FINANCE_SDK", "auto")
WECOM_FINANCE_PROXY = env("WECOM_FINANCE_PROXY")
WECOM_SPOOL_DIR = DATA_DIR / "spool"
SANDBOX_URL = env("SANDBOX_URL")

# -- Celery: it only wakes; rows in Postgres are the truth -------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "events"
CELERY_TASK_ROUTES = {
    "tenants.delivery.deliver_bulk": {"queue": "outbox"},
    "tenants.delivery.*": {"queue": "welcome"},
    "tenants.jobs.*": {"queue": "jobs"},
    "archive.tasks.*": {"queue": "jobs"},
}
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "socket_connect_timeout": 1,
    # a request never waits for a broker that is down: the row is there, and the poller finds it
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "connect_retries_timeout": 1,
    "socket_timeout": 10,
    "global_keyprefix": "celery:",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False

# -- language and time -------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("简体中文")), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

# -- logs --------------------------------------------------------------------------------------------------------------
LOGGING = logging.configure(debug=DEBUG or BASE_DOMAIN == "localhost", level=env("SCRM_LOG_LEVEL", "INFO"))

# -- pages -------------------------------------------------------------------------------------------------------------
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "console.shell.context",
            ],
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LOGIN_URL = "/console/sign-in/"
LOGIN_REDIRECT_URL = "/console/"

# -- security ----------------------------------------------------------------------------------------------------------
SESSION_COOKIE_AGE = 8 * 3600
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True  # htmx takes the token from a meta element
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("SCRM_BEHIND_PROXY", False) else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AUTHENTICATION_BACKENDS = ["accounts.backend.AuthBackend"]
SECOND_FACTOR_REQUIRED = env_bool("SCRM_SECOND_FACTOR", HTTPS)  # of owners and administrators; else they are asked to
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "content.uploads.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# uploaded files: a folder per tenant below SCRM_DATA, or https://KEY:SECRET@s3.example.com/bucket?region=…
SCRM_STORAGE = env("SCRM_STORAGE")


def bucket_origin(url: str) -> list[str]:
    """Where pictures come from when a bucket hands them out itself."""
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"] if url else []


CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "https://*.qpic.cn", "https://*.qlogo.cn", *bucket_origin(SCRM_STORAGE)],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}

# -- Open API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["integrations.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "integrations.paging.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "integrations.schema.Schema",
    "DEFAULT_THROTTLE_CLASSES": ["integrations.throttling.PerKey"],
    "EXCEPTION_HANDLER": "integrations.errors.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SCRM Open API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
}

# -- vendor console ----------------------------------------------------------------------------------------------------
OPS_BLUE = {  # of the tenants' console
    "50": "oklch(97% .014 254.6)", "100": "oklch(93.2% .032 255.6)", "200": "oklch(88.2% .059 254.1)",
    "300": "oklch(80.9% .105 251.8)", "400": "oklch(70.7% .165 254.6)", "500": "oklch(62.3% .214 259.8)",
    "600": "oklch(54.6% .245 262.9)", "700": "oklch(48.8% .243 264.4)", "800": "oklch(42.4% .199 265.6)",
    "900": "oklch(37.9% .146 265.5)", "950": "oklch(28.2% .091 267.9)",
}  # fmt: skip
UNFOLD = {
    "SITE_TITLE": "SCRM",
    "SITE_HEADER": "SCRM",
    "SITE_SUBHEADER": _("平台管理"),
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": OPS_BLUE},
    "SIDEBAR": {"show_search": False, "navigation": "scrm.ops.navigation.sections"},
}
API_RATE = env("SCRM_API_RATE", "600/min")  # per key
METRICS_TOKEN = env("SCRM_METRICS_TOKEN")  # empty: /metrics is for the private network
TAG_RULE_HITS_DAYS = env_int("SCRM_TAG_RULE_HITS_DAYS", 90)  # the log of 自动标签 is kept so long
