"""Entity -> bucket -> host: names, the zone, and the DNS service that publishes and transfers it.

Law: DNS states the intent. A zone that does not lint is never served; the last good one goes on.
"""
