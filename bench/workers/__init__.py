"""What runs in the peers' own environments; it may import only the standard library, the peer and bench.witness."""
