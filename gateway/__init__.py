"""A host's HTTPS door: values in, values out; what is behind a path, `heliograph` says.

Law: GET changes nothing. No route asks for a cookie, and none answers a stranger who exists here.
"""
