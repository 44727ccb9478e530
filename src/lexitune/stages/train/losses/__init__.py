"""Losses: functions of embeddings."""
