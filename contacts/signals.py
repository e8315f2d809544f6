"""What others may react to. Sent once per batch, in its transaction, with `follow_ids` and the `source` of the news.

Sources are those of the timeline: a first sync tells thousands of friendships that are not new to the company.
"""

from django.dispatch import Signal

follow_added = Signal()  # friendships that began, or began again
follow_ended = Signal()  # friendships that ended, by whichever side
stage_changed = Signal()  # `customer_ids` that moved to `stage_id` (None: out of every stage), by one act
tags_changed = Signal()  # friendships that were there before and carry other tags now
