"""A folder of documents: read, cut into passages, and asked by pairs that no person and no model wrote."""
