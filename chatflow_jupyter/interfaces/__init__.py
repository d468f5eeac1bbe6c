"""Doors for people and programs: command line, demonstration, widgets. They decide nothing."""
