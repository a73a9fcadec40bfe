"""The same page, live: a planner, studies as they run, tables that are dropped, playgrounds."""
