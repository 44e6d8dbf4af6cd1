"""Operation families with interchangeable back-ends."""
