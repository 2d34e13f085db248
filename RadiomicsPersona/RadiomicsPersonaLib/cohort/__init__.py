"""Cohort: a command on every row of a table, on all cores or on a cluster, and one table of the results.

Floor 12; imports commands, report, imaging, system.
"""
