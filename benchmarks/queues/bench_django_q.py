"""django-q2 as its manual sets it up for the ORM broker, with all results kept."""

from __future__ import annotations

import sys

import django
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

WORKERS = 2


def main(url: str, command: str, *words: str) -> None:
    """`prepare`, `submit <n>` or `work`."""
    about = conninfo_to_dict(url)
    settings.configure(
        SECRET_KEY="of no use",
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.contenttypes", "django_q"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": about["dbname"],
                "USER": about.get("user"),
                "PASSWORD": about.get("password"),
                "HOST": about.get("host"),
                "PORT": about.get("port"),
            }
        },
        Q_CLUSTER={"orm": "default", "workers": WORKERS, "save_limit": 0, "timeout": 60,
                   "retry": 120, "label": "bench"},
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command
    from django_q.tasks import async_task

    if command == "prepare":
        call_command("migrate", verbosity=0)
    elif command == "submit":
        for _ in range(int(words[0])):
            async_task("math.sqrt", 4)
    else:
        call_command("qcluster")


if __name__ == "__main__":
    main(*sys.argv[1:])
