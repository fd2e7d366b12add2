"""The leaderboard: facts and results in, tables and a site out; nothing is typed in twice."""
