"""How commands speak with hosts: by the socket of one that runs, or by opening the database of one that is down.

Law: the same acts and the same answers either way; never both at once (the lock).
"""
