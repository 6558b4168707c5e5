"""Mail from outside, judged: whose seals are true (DKIM), whether it came by a way of its sender's (SPF), whether
either speaks for its From (DMARC), and who said so.

Law: a verdict is written down (RFC 8601) and never taken from a stranger's hand. See docs/decisions.
"""
