"""A picture or a capture without a known frame comes in, its camera or similarity in the world frame goes out."""
