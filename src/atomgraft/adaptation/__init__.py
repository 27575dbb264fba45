"""What moves, what pulls back, what is rehearsed, how it starts."""
