// Nothing to call: see TorchConfiguration.c.
