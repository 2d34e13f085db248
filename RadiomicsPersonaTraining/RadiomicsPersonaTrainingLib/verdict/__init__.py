"""Verdict: the classifier calibrated on boxes whose truth is known, and measured.

Floor 6; imports evaluation, samples, runs, data, synthesis.
"""
