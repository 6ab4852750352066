"""Moving a source tree from v1 to the shim: what the commands ``scan`` and ``swap`` do.

Runs in the command's own process, never in a job. Python is read with libcst (the extra ``migrate``); the way back of a
swap needs the standard library alone.

    files, source, notebook, own    which files there are, and their text with positions
    tree                            libcst's tree of a file: scopes, parents, positions, bindings
    names, program                  what of v1 a file uses
    config, flow, events, configs   which keys a configuration has when v1 gets it
    judging, scanning               whether that works as it stands: ``scan``
    strings, yaml_strings, pins     names of modules in strings and in YAML; what is to be installed
    leaving                         what a use becomes in v2 and in OpenTelemetry: ``scan --report``
    uses, rewrite, swapping         which import paths are to be swapped: ``swap``
    changes, record, whole          writing it, and the way back
"""
