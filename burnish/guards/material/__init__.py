"""Training material of the guard's models: templates and word lists written for this project, and what expands them."""
