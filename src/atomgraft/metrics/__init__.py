"""Pure array functions: intervals, errors of phonons, power laws."""
