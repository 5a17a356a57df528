"""Names of events; LINE_EVENTS are about the line and about no person: whoever may read may see them."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ALARM_ACKNOWLEDGED",
    "ALARM_CLEARED",
    "ALARM_RAISED",
    "ALARM_SHELVED",
    "ALARM_UNSHELVED",
    "BUNDLE_PROMOTED",
    "BUNDLE_ROLLED_BACK",
    "CALIBRATED",
    "CLOCK_SET_BACK",
    "DATABASE_BACK",
    "DESTINATION_PAUSED",
    "JUDGED_BY",
    "KNOWN_CASE",
    "LEARNING_ENDED",
    "LEARNING_STARTED",
    "LINE_EVENTS",
    "NAME_RELEASED",
    "PRUNED",
    "RESTORED",
    "REVIEW_WITHDRAWN",
    "SHADOW_ENDED",
    "SHADOW_STARTED",
    "UNREADABLE",
]

ALARM_RAISED: Final = "alarm_raised"  # subject: what it is about, such as a station
ALARM_CLEARED: Final = "alarm_cleared"
ALARM_ACKNOWLEDGED: Final = "alarm_acknowledged"  # by a person
ALARM_SHELVED: Final = "alarm_shelved"  # by a person, with a reason, for some time
ALARM_UNSHELVED: Final = "alarm_unshelved"  # by a person
BUNDLE_PROMOTED: Final = "bundle_promoted"  # by a person, with a reason; subject: model id of the new default
BUNDLE_ROLLED_BACK: Final = "bundle_rolled_back"  # likewise; the default before the last promotion
CALIBRATED: Final = "calibration"  # how images lie on the strip, from this entry on
CLOCK_SET_BACK: Final = "clock_set_back"
DATABASE_BACK: Final = "database_back"
DESTINATION_PAUSED: Final = "destination_paused"
JUDGED_BY: Final = "bundle"  # which bundle judges, from this entry on
KNOWN_CASE: Final = "known_case"  # subject: a sheet; details: its right label, for nobody who may review
LEARNING_STARTED: Final = "learning_started"  # by a person: a head is fitted to reviewed sheets
LEARNING_ENDED: Final = "learning_ended"  # with its outcome; by a person where that person ended it
NAME_RELEASED: Final = "name_released"
PRUNED: Final = "images_pruned"
RESTORED: Final = "restored"  # begins an epoch
REVIEW_WITHDRAWN: Final = "review_withdrawn"  # by its own person; the review stays on record
SHADOW_STARTED: Final = "shadow_started"  # by a person, with a reason; subject: model id of the shadow bundle
SHADOW_ENDED: Final = "shadow_ended"  # likewise, or because of a promotion or rollback
UNREADABLE: Final = "unreadable"  # something at a source

LINE_EVENTS: Final = frozenset(
    (
        *(CALIBRATED, CLOCK_SET_BACK, DATABASE_BACK, DESTINATION_PAUSED, JUDGED_BY, NAME_RELEASED),
        *(PRUNED, RESTORED, UNREADABLE, ALARM_RAISED, ALARM_CLEARED),
    )
)
