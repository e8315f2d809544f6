"""Pages about who one is: signing in and out, the own account, the other operators."""
