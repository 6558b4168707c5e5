"""The words every other package shares: address, envelope, message, outcome.

Law: values and pure functions only. Nothing here opens a file, a socket or a clock.
"""
