"""How a host is, told to whoever asks: figures for Prometheus, and each host's word to the others.

Law: to be looked at costs a host next to nothing, and changes nothing.
"""
