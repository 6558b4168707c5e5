"""A host in one file, and back from it.

Law: what was written is read again before it counts; what is restored takes the place of nothing.
"""
