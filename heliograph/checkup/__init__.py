"""What `heliograph doctor` looks at, a file per kind of trouble.

Law: a check only looks; every finding that is not good says what to do.
"""
