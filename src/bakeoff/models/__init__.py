"""Models behind one interface: in this process, behind an endpoint, or remembered."""
