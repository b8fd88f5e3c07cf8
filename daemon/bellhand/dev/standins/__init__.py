"""Stand-ins of the outside services: their wire formats over real HTTP on loopback, without keys, money or network.

`served()` of server.py starts all of them on one port; faults.py makes them fail on demand.
"""
