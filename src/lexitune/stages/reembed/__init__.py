"""Encode the corpus with the challenger, beside the live index."""
