"""What others may react to."""

from django.dispatch import Signal

messages_arrived = Signal()  # `message_ids` that were stored just now; sent after the commit, in the tenant's schema
