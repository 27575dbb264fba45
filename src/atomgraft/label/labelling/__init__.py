"""The verb `label`: engines run over structures, as jobs that resume."""
