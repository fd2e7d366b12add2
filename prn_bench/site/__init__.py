"""Static pages: the leaderboard's site, and the report of one run.

They open from a disk, fetch nothing, and work without JavaScript up to the charts.
"""
