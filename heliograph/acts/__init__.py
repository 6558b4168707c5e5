"""What a host does at an operator's word: one file an area, joined by ``operations``.

Law: values in, values out; nothing here knows of click or of sockets.
"""
