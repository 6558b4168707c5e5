"""A host's second disk: its database, as it is, at another host.

Law: a replica is its owner's pages; nothing is decided here about whose buckets are whose.
"""
