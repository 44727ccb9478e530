"""Formats of other people's labels, one file each: `read` and `write` over the records of `records.py`."""
