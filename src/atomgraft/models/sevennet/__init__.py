"""SevenNet: 7net-0, every checkpoint of the framework, small ones by preset."""
