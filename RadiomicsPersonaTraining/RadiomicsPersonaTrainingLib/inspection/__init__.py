"""Inspection: a run looked at case by case before it is exported.

Floor 7; imports head_evaluation, evaluation, export, fitting, runs, data, settings, synthesis.
"""
