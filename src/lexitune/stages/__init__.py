"""The stages: one package each, strangers to each other."""
