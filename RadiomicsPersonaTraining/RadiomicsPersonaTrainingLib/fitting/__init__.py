"""Fitting: tasks, optimiser and loop; what a run starts from and what it will take.

Floor 5; imports samples, lesion_masks, runs, data, settings.
"""
