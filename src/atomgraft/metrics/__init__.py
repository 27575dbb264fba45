"""Pure array functions: intervals of errors."""
