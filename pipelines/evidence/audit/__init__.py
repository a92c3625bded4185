"""Committed runs trained again, and compared with what was committed."""
