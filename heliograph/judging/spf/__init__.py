"""SPF (RFC 7208): whether the address that brought a message may send in the name of its return path.

Law: the evaluation is pure; it says what it wants to know of the DNS and is told. See docs/decisions.
"""
