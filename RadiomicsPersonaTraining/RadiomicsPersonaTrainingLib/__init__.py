"""RadiomicsPersonaTrainingLib: models of healthy tissue, trained on a site's own scans, measured and exported.

It imports RadiomicsPersonaLib, which never imports it and whose docstring explains the words. `cli` names the commands.
A folder imports only folders below it; its docstring says which.

run        a training with all that it leaves: settings, record, checkpoints, curves
split      which subjects train, validate and test
recipe     how samples are drawn from a scan
held out   never seen in training, whatever is measured on it
"""
