"""Kinds of events in the words of people: what happened, for the audit log."""

from __future__ import annotations

from steelsight.service.wording.page_words import PageWords

__all__ = ["event_kind_text"]


def event_kind_text(words: PageWords, name: str) -> str:
    """What an event of this kind says happened; its name as it stands where there are no words for it."""
    found = {**_people(words), **_plant(words), **_bundles(words)}
    return found.get(name, name)


def _people(words: PageWords) -> dict[str, str]:
    return {
        "account_added": words("account added"),
        "account_disabled": words("account disabled"),
        "account_enabled": words("account enabled"),
        "identity_linked": words("identity of the login provider linked"),
        "link_made": words("link for a password made"),
        "login": words("login"),
        "login_failures": words("failed logins"),
        "logout": words("logout"),
        "password_changed": words("password changed"),
        "person_erased": words("person erased"),
        "role_changed": words("role changed"),
        "sessions_revoked": words("sessions ended by an administrator"),
        "token_created": words("token created"),
        "token_revoked": words("token revoked"),
        "export": words("records downloaded"),
        "review_withdrawn": words("review taken back"),
        "known_case": words("known case entered"),
    }


def _plant(words: PageWords) -> dict[str, str]:
    return {
        "alarm_raised": words("alarm raised"),
        "alarm_cleared": words("alarm ended"),
        "alarm_acknowledged": words("alarm acknowledged"),
        "alarm_shelved": words("alarm shelved"),
        "alarm_unshelved": words("alarm no longer shelved"),
        "calibration": words("calibration of a station"),
        "clock_set_back": words("clock set back"),
        "database_back": words("database reached again"),
        "destination_paused": words("deliveries to a receiver paused"),
        "images_pruned": words("images removed by their age"),
        "name_released": words("name of a writer freed"),
        "restored": words("ledger restored from a backup"),
        "unreadable": words("source that cannot be read"),
    }


def _bundles(words: PageWords) -> dict[str, str]:
    return {
        "bundle": words("bundle begins to judge"),
        "bundle_promoted": words("bundle promoted"),
        "bundle_rolled_back": words("promotion rolled back"),
        "learning_started": words("learning from reviews started"),
        "learning_ended": words("learning from reviews ended"),
        "shadow_started": words("shadow bundle started"),
        "shadow_ended": words("shadow bundle ended"),
    }
