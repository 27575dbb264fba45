"""The verb ``distil``: a predictor of a transport property from known materials."""
