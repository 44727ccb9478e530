"""Clicks of users whose propensities and relevance are known, through what reads real logs."""
