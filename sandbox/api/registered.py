"""Every module that puts calls under /cgi-bin/: imported for what they register."""

from __future__ import annotations

from sandbox.api import (
    archive,
    cards,
    contact_ways,
    contacts,
    customers,
    group_welcomes,
    groups,
    login,
    mass,
    media,
    messages,
    moments,
    staff_tags,
    tags,
    tickets,
    welcome,
)

MODULES = (
    archive,
    cards,
    contact_ways,
    contacts,
    customers,
    group_welcomes,
    groups,
    login,
    mass,
    media,
    messages,
    moments,
    staff_tags,
    tags,
    tickets,
    welcome,
)
