"""Evaluation: how well models rebuild healthy tissue; means over subjects, plots and pages.

Floor 5; imports samples, runs, data, synthesis.
"""
