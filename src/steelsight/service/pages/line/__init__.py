"""The page Line: verdicts as they come, what the line does now, and its alarms."""
