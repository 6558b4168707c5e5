"""How fabrics, hosts and certificates come to be: ``init``, ``host add``, ``init --join``, ``host certify``.

Law: nothing that is there is written over; what is half made by a crash is named, and made again.
"""
