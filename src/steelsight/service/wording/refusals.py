"""Refusals for people: in English as they are raised, in other languages by their code.

A code whose sentence would lose what the message says is not translated, unless `facts` has what it says.
"""

from __future__ import annotations

from steelsight.service.problem import Problem
from steelsight.service.wording.gate_reasons import gate_reason_text
from steelsight.service.wording.page_words import PageWords

__all__ = ["in_words", "refusal_text"]


def refusal_text(words: PageWords, problem: Problem) -> tuple[str, str]:
    """A refusal as sentences, and the language that they are in.

    returns (text, language); English for a code without a translation
    """
    text = None if words.language == "en" else _texts(words, problem).get(problem.code)
    if text is not None:
        return text, words.language
    text = f"{problem.message}; {problem.advice}."
    return f"{text[0].upper()}{text[1:]}", "en"


def in_words(words: PageWords, problem: Problem) -> Problem:
    """The same refusal with its sentences as the message, for a script; unchanged where it is English."""
    text, language = refusal_text(words, problem)
    if language == "en":
        return problem
    options = {"headers": problem.headers, "facts": problem.facts}
    return Problem(problem.status, problem.code, text, "", **options)


def _texts(words: PageWords, problem: Problem) -> dict[str, str]:
    return {
        **_of_access(words, problem),
        **_of_sheets(words),
        **_of_acts(words),
        **_of_shadows(words, problem),
        **_of_gates(words, problem),
        **_of_service(words),
    }


def _of_access(words: PageWords, problem: Problem) -> dict[str, str]:
    seconds = problem.headers.get("Retry-After", "")
    return {
        "not_logged_in": words("Nobody is logged in. Log in first."),
        "wrong_login": words(
            "The login name or the password is wrong, or the account is disabled. An administrator can make "
            "a one-time link that sets a new password."
        ),
        "too_many_logins": words(
            "Too many failed logins. The next one is possible in %(seconds)s s.", seconds=seconds
        ),
        "link_ended": words(
            "This link is unknown, was used, or has expired. An administrator makes a new one."
        ),
        "account_disabled": words("This account is disabled. Ask an administrator."),
        "no_role": words("The identity provider names no role for you here. Ask an administrator."),
        "forbidden": words("Your role may not do this. An administrator can give you another one."),
        "person_needed": words("Only a person who has logged in may do this."),
        "cross_site": words(
            "The request does not come from a page of this service. Open the service by its own address."
        ),
        "cookie_twice": words("A cookie came twice. Delete the cookies of this site, and log in again."),
        "https_needed": words(
            "A login without https can be read by others. Open the service by its https address."
        ),
    }


def _of_sheets(words: PageWords) -> dict[str, str]:
    return {
        "unknown_sheet": words("There is no such sheet."),
        "unknown_coil": words("There is no such coil."),
        "unknown_review": words("This review is not one of yours. You can undo your own."),
        "image_missing": words("The image of this sheet is gone."),
        "image_pruned": words("The image was removed, as the retention says."),
        "bad_image": words("The image of this sheet cannot be read."),
        "no_verdict": words("The sheet has no verdict yet. Review it later."),
        "withdrawn_already": words("This review was taken back already. Decide the sheet again."),
        "too_late": words("A review can be taken back for an hour. Review the sheet again instead."),
        "decide_first": words(
            "This sheet was drawn for audit: say what you see before its verdict is shown."
        ),
        "unknown_input": words("The sheet is unlike every training sheet: a map would not be valid."),
        "other_bundle": words("The bundle that gave the verdict is not opened here."),
        "recommendation_changed": words(
            "Another action is recommended for this sheet now. Look at the sheet again."
        ),
        "bad_mask": words("The painted mask does not fit the image."),
        "bad_region": words("A box lies outside of the image, or is empty."),
    }


def _of_acts(words: PageWords) -> dict[str, str]:
    return {
        "alarm_changed": words("This alarm is not there any more, or was raised again."),
        "changed_meanwhile": words(
            "It was changed meanwhile. Look at the page as it is now, and send the form again if you still "
            "want it."
        ),
        "made_already": words("This form was sent before, and what it made is in use. Use a fresh form."),
        "default_changed": words("Another bundle was promoted or rolled back meanwhile. Decide again."),
        "default_already": words("This bundle judges already."),
        "nothing_to_roll_back": words("There is no promotion to roll back."),
        "bundle_changed": words("The bundle was replaced meanwhile. Decide again."),
        "bundle_not_at_hand": words(
            "The bundle is not at hand. Put its folder into the folder of candidates."
        ),
        "learning_runs": words("A head is being fitted already. Wait for it, or cancel it."),
        "learning_changed": words("This job is not the last one any more."),
        "no_reason": words("Give a reason, for those who ask later."),
        "unknown_verdict": words("The ledger has no such verdict."),
        "bad_verdict": words("Expected the id of a verdict, WRITER:NUMBER such as line-1:4711."),
        "too_many_rows": words("These are too many events for one file. Choose a shorter time, or one kind."),
    }


def _of_shadows(words: PageWords, problem: Problem) -> dict[str, str]:
    values = {name: problem.facts.get(name, "") for name in ("expected", "got")}
    return {
        "shadow_other_classes": words(
            "The classes are not those of the bundle that judges: expected %(expected)s, got %(got)s.",
            **values,
        ),
        "shadow_other_input": words(
            "The input is not that of the bundle that judges: expected %(expected)s, got %(got)s.", **values
        ),
        "shadow_changed": words("Another shadow bundle was started or ended meanwhile. Decide again."),
        "shadow_already": words("This bundle is the shadow already."),
        "no_shadow": words("There is no shadow bundle to end."),
    }


def _of_gates(words: PageWords, problem: Problem) -> dict[str, str]:
    found = {
        "no_gate_policy": words(
            "Without a policy no bundle can be promoted: the setting gate_policy names none. Write one, and "
            "start the service with it."
        ),
        "gate_policy_unreadable": words("The policy that the setting gate_policy names cannot be read."),
    }
    reasons = [gate_reason_text(words, **each) for each in problem.facts.get("reasons", ())]
    if reasons and all(language == words.language for _, language in reasons):
        why = " ".join(text for text, _ in reasons)
        found["gate_not_passed"] = words("This bundle has not passed the gate. %(why)s", why=why)
    return found


def _of_service(words: PageWords) -> dict[str, str]:
    return {
        "not_found": words("There is no such page."),
        "invalid_request": words("A value is not as the form expects it. Load the page again."),
        "bad_period": words("These days are no period. Choose others."),
        "bad_day": words("This is no day. Choose one again."),
        "bad_cursor": words("This part of the list is not there any more. Open the page anew."),
        "ledger_away": words("The ledger does not answer; nothing was written. Try again later."),
        "store_away": words("The image could not be stored; nothing was written."),
        "out_of_memory": words("The service has too little memory for this now. Try again later."),
        "busy": words("The service is busy with the same for others. Try again in a moment."),
        "search_running": words("Your search among the places is still running. Wait for its answer."),
        "computing": words("The figures are still being computed. Try again in a moment."),
    }
