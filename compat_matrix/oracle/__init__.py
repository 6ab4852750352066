"""v1 written down a second time, to say what the programs must send.

The recorded jobs in ``goldens/`` were taken from v1 itself. The programs were not: nobody can install v1 any more.
Their ``expected.json`` is recorded with this small imitation, which shares no line with the package under test and is
trusted because it reproduces every recorded job (``tests/matrix/test_oracle.py``).
"""
