"""Reading and writing files: plain formats that other tools share."""
