"""Does a test notice? ``operators`` says what is changed in a file, ``tests`` which tests run the changed line.

``command`` is ``python -m compat_matrix mutants``.
"""
