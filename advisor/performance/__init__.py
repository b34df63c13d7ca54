"""Closed-form performance models: what one replica of a candidate can do, vectorised over candidates."""
