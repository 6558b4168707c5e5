"""The zone as its operator changes it: the file, updates asked of a primary, who is that, who gets which buckets.

Law: a change is worked out and judged before anything is written; what cannot be written here is shown as lines to
edit.
"""
