"""What needs more than one stage: the journey."""
