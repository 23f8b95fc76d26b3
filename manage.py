"""Django's command line. `.venv/bin/python manage.py help` lists the commands."""

import os
import sys

from core.commands import main

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")
    main(sys.argv)
