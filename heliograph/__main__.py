"""``python -m heliograph``: the same as the command.

Law: nothing stands here but the call.
"""

from heliograph.command import main

if __name__ == "__main__":
    main()
