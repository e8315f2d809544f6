"""An imitation of the WeCom server, written from its published interface alone: no code is shared with the product."""
