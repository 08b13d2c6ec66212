"""Files of the offices -> typed rows, quarantine, and which delivery is in force. Knows no child and no item."""
