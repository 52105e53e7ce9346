"""A stranger's web page, fetched safely: public addresses only, limited in time and size."""

from pages.fetch import with_pages

__all__ = ["with_pages"]
