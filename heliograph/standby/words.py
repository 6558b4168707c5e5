"""What both ends of a replica's stream agree on.

    owner                          standby
    hello version, database   ->   have POSITION | null, or refused why
    record COPY               ->   ready                 (where the position is not in the owner's log any more)
    digests first, 16 each    ->   lack [numbers]
    record PAGES ...
    record FRAMES ...         ->   copying
    whole                     ->   held POSITION
    record FRAMES             ->   held POSITION         (one answer for many, where they shared a flush)
    beat behind               ->   held POSITION

Law: a record says itself where it goes on from (`record.py`).
"""

PURPOSE = "replica"
VERSION = 1
BEAT_SECONDS = 5.0
SILENCE_SECONDS_MAX = 30.0  # some beats: a peer that says nothing for so long is away
