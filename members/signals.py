"""What others may react to."""

from django.dispatch import Signal

staff_left = Signal()  # staff_ids: members who left the company; sent in the transaction that records it
staff_merging = Signal()  # `kept` and `gone`: two rows of one member become one; what hangs on `gone` is moved next
