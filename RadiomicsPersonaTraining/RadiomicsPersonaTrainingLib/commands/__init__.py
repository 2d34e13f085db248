"""Commands: one file per command of `radiomics-persona-train`, with its options and its run; `cli` names them.

Floor 9; imports every folder below.
"""
