"""What others may react to, sent in the transaction that recorded it."""

from django.dispatch import Signal

segment_entered = Signal()  # `customer_ids` that came into the watched segment `segment_id` since the last look
