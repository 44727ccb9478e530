"""Stores: databases that keep the vectors of passages and search them. What a store must do stands in `store.py`."""
