"""Alarms of the line: conditions grouped by what they are about, and raised no faster than a person can act.

source  EEMUA 191, alarm systems: under one alarm in ten minutes on average, at most ten in the first ten
        minutes of an upset; an alarm is shelved for a limited time and with a reason
"""
