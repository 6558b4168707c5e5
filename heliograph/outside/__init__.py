"""What leaves the fabric: the stamp and the seals on a copy, and the way out of a list.

Law: no field of the fabric's own leaves; what our domain says in From is sealed by keys that the zone publishes.
"""
