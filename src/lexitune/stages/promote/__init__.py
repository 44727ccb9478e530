"""The gate, the switch and the way back."""
