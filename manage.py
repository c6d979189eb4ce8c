#!/usr/bin/env python
"""Django's command line for Gantry: `python manage.py help` lists the commands."""

import gc
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    gc.set_threshold(50_000)  # what is loaded at the start is no garbage
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # its words say what to set; where it was read does not
        sys.exit(str(error))
