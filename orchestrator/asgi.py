import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
os.environ.setdefault("GANTRY_DB_POOL", "8")
os.environ.setdefault("GANTRY_PROCESS", "gantry-web")
application = get_asgi_application()
