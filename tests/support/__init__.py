"""What tests of several tiers share, typed: shops, models, jobs, watched streams, ports, waiting."""
