"""Commands: one file per command, with its options and its run; `registry` names them, `job` is what they are run with.

Floor 11; imports every folder below.
"""
