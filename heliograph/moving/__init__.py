"""Buckets handed from host to host: what decides, what goes over the stream, and who works at either end.

Law: a bucket has one owner. It is given up in one transaction and taken in another, never the other way round.
"""
