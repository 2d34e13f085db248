"""The pages of the training module, and what they share. They compute nothing: RadiomicsPersonaTrainingLib does,
in other processes.
"""
