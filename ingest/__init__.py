"""Feeds become mail: a URL mailed to ``follow@D`` is a source from then on, polled once for everybody.

Law: a feed is polled by the host that owns the bucket of its registrable domain, and by nobody else. What a poll
found, and that it was found, is one transaction: an item is one post, whatever its publisher does to it. This file
imports nothing, since the parsing process starts through it.
"""
