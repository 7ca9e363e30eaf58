"""A model folder as a service."""
