"""Sites as search engines see them: crawled, judged, reported on."""

from .handlers import crawl_site, crawl_sites

__all__ = ["crawl_site", "crawl_sites"]
