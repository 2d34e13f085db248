"""Samples: what is drawn at every step: pairs with holes, segmentation patches, synthetic heads, lesion masks.

Floor 4; imports lesion_masks, data, settings, synthesis.
"""
