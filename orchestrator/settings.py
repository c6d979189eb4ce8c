"""Django settings. Every knob is an environment variable, listed in docs/configuration.md."""

from __future__ import annotations

from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF

from orchestrator import env

BASE_DIR = env.PROJECT_ROOT
DATA_DIR = env.data_dir()
DEBUG = env.flag("GANTRY_DEBUG")
SECRET_KEY = env.secret_key()

BIND = env.text("GANTRY_BIND", "127.0.0.1")
PORT = int(env.number("GANTRY_PORT", 8000, least=1, most=65535))
PUBLIC_URL = env.text(
    "GANTRY_PUBLIC_URL", f"http://{'localhost' if BIND == '0.0.0.0' else BIND}:{PORT}"
).rstrip("/")
_public = urlsplit(PUBLIC_URL)

# The address that people use is the only one that is served, and the only origin that
# may post forms or open sockets; localhost joins it for the owner of the machine.
ALLOWED_HOSTS = sorted({_public.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"})
CSRF_TRUSTED_ORIGINS = sorted({f"{_public.scheme}://{_public.netloc}"})
_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^ready$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("GANTRY_BEHIND_PROXY", _https) else None
)
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_NAME = f"gantry_{PORT}_session"  # two instances on one host keep apart
CSRF_COOKIE_NAME = f"gantry_{PORT}_csrf"
ZONE_COOKIE_NAME = f"gantry_{PORT}_zone"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "orchestrator.views_wrong.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

INSTALLED_APPS = [
    "orchestrator",
    "jobs",
    "providers",
    "projects",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "csp",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "orchestrator.middleware.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "projects.zones.zone_middleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "orchestrator.middleware.LoginRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "orchestrator.urls"
ASGI_APPLICATION = "orchestrator.asgi.application"
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
                "orchestrator.context.shell",
            ]
        },
    }
]

DATABASES = {"default": dj_database_url.parse(env.database_url())}
DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | {
    "application_name": env.text("GANTRY_PROCESS", "gantry"),
    "prepare_threshold": 5,  # not None, which is Django's: jobs/sql prepares its statements
}
# Only web pools (asgi.py asks for it): qcluster forks, which would corrupt a pool, and
# orchestrate gives each of its database threads one connection of its own.
_pool = int(env.number("GANTRY_DB_POOL", 0, least=0, most=64))
if _pool:
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 2, "max_size": _pool, "timeout": 10}
    # A question that takes this long would keep one of a few connections from everybody else.
    _given = DATABASES["default"]["OPTIONS"].get("options", "")
    DATABASES["default"]["OPTIONS"]["options"] = f"-c statement_timeout=10s {_given}".strip()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

# The largest forms, of jobs, are refused field by field with all that was typed in them, so
# these stand far above what a job may have: 320 variables and secrets, 256 KiB in all.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "archive"},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Signals are fanned out inside each web process; between processes Postgres carries them.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Housekeeping only: periodic sweeps in batches that may run late or twice.
Q_CLUSTER = {
    "name": "gantry",
    "orm": "default",
    "workers": 1,
    "poll": 2,
    "guard_cycle": 5,
    "timeout": 300,
    "retry": 600,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 200,
    "label": "Housekeeping",
}

# The engine loop. The lease may be shortened for tests and drills only.
LEASE_TTL = env.number("GANTRY_LEASE_TTL", 10, least=1, most=300)
ALLOW_FAKE_DRIVER = env.flag("GANTRY_ALLOW_FAKE", DEBUG)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "format": "{asctime} {levelname} {name} {message}{number}",
            "datefmt": "%Y-%m-%dT%H:%M:%SZ",  # TIME_ZONE is the whole process's
            "style": "{",
        }
    },
    "filters": {"number": {"()": "orchestrator.log_lines.RequestNumber"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["number"],
        }
    },
    "root": {"handlers": ["console"], "level": env.text("GANTRY_LOG_LEVEL", "INFO").upper()},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "django-q": {"level": "WARNING"},  # else five lines per sweep that found nothing to do
    },
}
