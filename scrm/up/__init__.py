"""`make up`: installs, starts and supervises everything. Plain Python: Django is never imported here."""
