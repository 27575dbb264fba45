"""Following imaginary modes of unstable crystals to stable structures."""
