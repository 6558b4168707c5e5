"""What leaves the fabric: the stamp and the seals on a copy, and the way out of a list.

Law: nothing of the fabric's own words leaves; every copy to the outside is sealed by keys that the zone publishes.
"""
