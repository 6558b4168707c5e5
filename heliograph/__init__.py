"""One running host, its configuration and the command: sees all the other packages and joins them.

Law: a step of the flow is one transaction: it takes a queue row, calls the room that claims the address, and spools
what the room returns. A crash repeats a step or undoes it, never half of it.
"""
