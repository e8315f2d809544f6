"""What others may react to, in the transaction of what happened."""

from django.dispatch import Signal

link_opened = Signal()  # `open_ids`: visits to tracked links, after debouncing
sent = Signal()  # `sending_ids`: what staff sent with our help
