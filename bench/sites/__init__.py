"""Pages a second on one core: our fetcher and Scrapy visit the same pages and run the same extraction."""
