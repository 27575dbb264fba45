"""SevenNet: 7net-0, all checkpoints of the framework, small models by preset."""
