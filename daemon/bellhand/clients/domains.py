"""Which part of a host somebody registered, by the public suffix list as it was released with the library."""

import tldextract

# One for all: each reads the whole list. Nothing is fetched, and nothing written to a cache.
_split = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def domain_parts(host: str, *, private: bool = True) -> tldextract.ExtractResult:
    """The host's parts; `private` counts suffixes that firms give out, as github.io, among the public ones."""
    return _split(host, include_psl_private_domains=private)


def registrable(host: str) -> str:
    """The domain somebody registered, acme.co.uk for www.acme.co.uk; other hosts as they are."""
    return domain_parts(host).top_domain_under_public_suffix or host.lower()
