"""Text as text: normal forms and terms."""
