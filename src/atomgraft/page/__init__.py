"""Parts of the HTML pages: document, blocks, axes, legends, wording."""
