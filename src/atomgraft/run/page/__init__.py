"""The page of a run, one section per module."""

from atomgraft.run.page.document import PAGE, page_text, write_page

__all__ = ["PAGE", "page_text", "write_page"]
