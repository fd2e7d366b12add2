"""Data without a licence: a face model made by code, and photographs of its faces."""
