"""What a plugin in Python depends on. `host` needs the host; the rest runs anywhere."""
