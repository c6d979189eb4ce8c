"""What a campaign is judged by, apart from Gantry's own account: witnesses of every start,
the program's own word on what it printed, and a checker that compares all of it."""
