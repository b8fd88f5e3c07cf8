"""The crawler beside an independent checker on real documentation, and as a site grows."""
