"""Whether one gets what one got. Histories of W&B runs against what we believe v1 sent, and against each other.

``beliefs`` and ``row_kinds`` are the reconstruction of v1 as tables; ``reading``, ``exports`` and ``online`` make a
``history`` of each kind of source; ``check_rows`` and ``check_life`` hold one history against the tables; ``compared``
holds two side by side; ``page`` says it; ``command`` is ``python -m compat_matrix verify``.
"""
