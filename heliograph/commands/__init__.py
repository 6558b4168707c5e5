"""The command's parts, a file per noun.

Law: nothing heavy is imported before a command runs: `heliograph --help` answers at once.
"""
