"""Pure array functions: errors and their intervals."""
