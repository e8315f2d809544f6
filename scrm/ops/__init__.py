"""The vendor console: Django's admin with Unfold, on its own host, over the shared schema alone."""
