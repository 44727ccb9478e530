"""Stock, lexical, hybrid and challenger on the same test queries."""
