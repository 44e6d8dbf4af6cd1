"""Training of Zero123++ on rendered views: the report's phases, its ControlNets, and small models from scratch."""
