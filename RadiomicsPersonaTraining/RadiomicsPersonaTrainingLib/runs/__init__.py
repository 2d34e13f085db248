"""Runs: what a run leaves behind: its record, state, heartbeat and journal.

Floor 3; imports data, settings.
"""
