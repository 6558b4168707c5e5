"""Other fabrics: how they are found, how they are believed, and what of their mail and for them passes the door.

Law: a fabric is found by its DNS records and believed by its seals (DKIM); no address proves anything.
"""
