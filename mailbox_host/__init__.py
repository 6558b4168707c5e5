"""Mailboxes: accounts, folders, entries, timelines made from the log, and the IMAP server that shows them.

Law: only the owner of a timeline's bucket assigns UIDs. What was shown under a UID stays under it until it is expunged.
"""
