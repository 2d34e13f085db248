"""Head evaluation: models that see a whole head, for tissue, lesions or segmentation, measured on held-out heads.

Floor 6; imports evaluation, samples, data, settings, synthesis.
"""
