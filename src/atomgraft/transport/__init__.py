"""Ion transport: how fast ions move, and how to tell it from the structure."""
