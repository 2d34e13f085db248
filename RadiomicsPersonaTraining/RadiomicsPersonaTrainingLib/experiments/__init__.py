"""Experiments: candidates compared, what painted lesions are worth, drawn masks beside real ones.

Research on the program itself, for its developers.

Floor 8; imports inspection, head_evaluation, evaluation, export, fitting, lesion_masks, runs, data, settings.
"""
