"""Sites as search engines see them: crawled, judged, reported on."""
