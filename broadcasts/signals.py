"""What others may react to."""

from django.dispatch import Signal

delivered = Signal()
"""broadcast_id, sender_id, customer_ids, at: WeCom says they got it. In the transaction that records it, once each."""
