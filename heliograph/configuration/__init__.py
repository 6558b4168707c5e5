"""What the operator wrote into ``heliograph.toml``, read once into frozen values.

Law: nothing here asks a running host; every mistake is told with its line and what to write instead.
"""
