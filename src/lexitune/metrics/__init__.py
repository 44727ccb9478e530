"""Measures, statistics, reports and comparisons."""
