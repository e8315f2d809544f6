#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    from scrm.up.folder import recall

    recall(os.environ)  # the servers and secrets of `make up`, unless the environment names others
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
