"""Moving a source tree from v1 to the shim: what the commands ``scan`` and ``swap`` do.

Runs in the command's own process, never in a job. Standard library only, except :mod:`.rewrite`, which needs libcst
(the extra ``migrate``) and is imported by :mod:`.swapping` alone.

    files, source, notebook, own    which files there are, and their text with positions
    names, scopes, reading          what of v1 a file uses, from the syntax tree
    literals, judging, scanning     whether that works as it stands: ``scan``
    pins, yaml_strings              requirement files and Hydra's YAML: text, no syntax tree
    rewrite, strings, swapping      which import paths are to be swapped: ``swap``
    changes, record                 writing it, and the way back
"""
