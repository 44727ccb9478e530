"""Ranking: exact, lexical, hybrid, filtered."""
