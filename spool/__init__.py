"""Mail in and out, durably: SMTP, submission and LMTP at the door, the queue, delivery over SMTP, DSNs.

Law: a message is in the queue, on disk, before anyone hears 250; a queue row goes only with the transaction that
delivered it, or with the reply of the peer that took it over.
"""
