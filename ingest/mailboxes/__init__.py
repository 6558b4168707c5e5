"""Folders of mailboxes elsewhere, read over IMAP: what comes there becomes a source's posts.

Law: nothing is changed over there (EXAMINE, BODY.PEEK); one connection to a mailbox, of the host that owns the bucket
of its source; a message is one post, whatever numbers its server gives it.
"""
