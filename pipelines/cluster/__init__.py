"""A study's runs elsewhere than one after the other on this machine."""
