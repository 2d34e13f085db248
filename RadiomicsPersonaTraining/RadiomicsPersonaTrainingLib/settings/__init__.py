"""Settings: every key of the settings file, with its default, range and explanation; nothing here loads torch or scipy.

Floor 1; imports nothing of ours beside the core, and of that networks alone.
"""
