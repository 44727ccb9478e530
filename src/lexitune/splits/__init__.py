"""Splits that do not leak, and the seal on test."""
