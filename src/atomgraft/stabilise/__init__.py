"""Where unstable crystals go: imaginary modes followed to stable structures."""
