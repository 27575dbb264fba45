"""Tables, figures and the HTML page, from result files alone."""
