"""`make demo`: a self-checking tour of a throw-away fabric of three hosts. Its stage also serves tests and benches.

Law: everything happens over real sockets with the command that operators use; nothing is left behind.
"""
