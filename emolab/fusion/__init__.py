"""Notebook 07: several models' labels of the same clips become one set (section 2.3 of the report, and past it)."""
