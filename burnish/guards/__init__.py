"""What may go in and out of a model: checks of a policy, and the material their models learn from."""
