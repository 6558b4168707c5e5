"""Which buckets this host owns, under which epoch, and what the zone's next word makes of it.

Law: ownership is durable before it is acted on; the zone states the wish, a hand-over grants.
"""
