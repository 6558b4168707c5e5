"""Who comes in, what they may send to whom, and what is added to and taken from their mail.

Law: a room never sees mail that its door has not judged; who signs in is judged by the owner of the account.
"""
