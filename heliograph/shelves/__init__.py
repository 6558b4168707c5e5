"""Another server keeps the mailboxes: where it is, what its mailboxes are called, and how posts get there.

Law: everything goes by the queue, a row for each recipient, over LMTP; nothing here waits for that server.
"""
