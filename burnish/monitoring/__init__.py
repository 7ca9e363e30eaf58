"""Watching a served model: the store of requests and feedback."""
