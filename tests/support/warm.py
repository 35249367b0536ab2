"""What the fork server imports last: from then on neither it nor a fork of it searches for garbage in what is there.

Each search would read all of it, and copy its pages into the fork (gc.freeze in the documentation of Python).
"""

import gc

gc.collect()
gc.freeze()
