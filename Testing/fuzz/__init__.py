"""The fuzzer: whatever a file, a table, a word or a message holds, the answer is right, or a refusal in one sentence.

`make fuzz` runs all targets for ten minutes, drawn anew from its seed; `Testing/core/test_fuzz.py` runs a few examples of each.
What hypothesis finds it makes small and shows; the log counts the answers. `images`, `texts` and `models` hold the targets.
"""
