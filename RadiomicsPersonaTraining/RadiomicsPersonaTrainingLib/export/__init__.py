"""Export: a checkpoint becomes weights with a card; a model or a training becomes one file.

Floor 5; imports samples, lesion_masks, runs, data, settings, synthesis.
"""
