"""A From as proof: who writes from elsewhere, under his domain's seal, is heard like somebody who signed in.

Law: what a seal grants it grants once, for the list that the sealed mail names, within two days. See docs/decisions.
"""
