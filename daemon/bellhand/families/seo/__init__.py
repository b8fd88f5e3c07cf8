"""Sites as search engines see them: crawled, judged, reported on."""

from .analyze import analyze
from .handlers import crawl_site, crawl_sites
from .reporting import make_reports

__all__ = ["analyze", "crawl_site", "crawl_sites", "make_reports"]
