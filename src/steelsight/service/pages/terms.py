"""Messages whose last word is a value of the program: named here, so that the catalogs hold each."""

from __future__ import annotations

from typing import Final

from steelsight.service.pages.navigation import N_

__all__ = ["TERMS"]

TERMS: Final = (
    *(N_("role viewer"), N_("role operator"), N_("role engineer"), N_("role auditor"), N_("role admin")),
    *(N_("order doubt"), N_("order newest"), N_("order cost")),
    *(N_("only all"), N_("only undecided"), N_("only defects"), N_("only disagreed")),
    *(N_("answer confirmed"), N_("answer corrected"), N_("answer unsure")),
    *(N_("stain"), N_("sheet end")),
    *(N_("action accept"), N_("action re-inspect"), N_("action hold"), N_("action downgrade")),
    *(N_("priority high"), N_("priority medium"), N_("priority low")),
    *(N_("reason maintenance"), N_("reason known cause"), N_("reason false alarm"), N_("reason trial")),
    N_("reason other"),
    *(N_("property gray_mean"), N_("property gray_spread"), N_("property confidence")),
    *(N_("property distance"), N_("property shares")),
    *(N_("level slight"), N_("level clear")),
    *(N_("permission read"), N_("permission inspect"), N_("permission review"), N_("permission export")),
    *(N_("permission configure"), N_("permission audit"), N_("permission users")),
    *(N_("token valid"), N_("token revoked"), N_("token expired")),
    *(
        N_("bundle default"),
        N_("bundle shadow"),
        N_("bundle opened"),
        N_("bundle candidate"),
        N_("bundle kept"),
    ),
    *(N_("threshold by certificate"), N_("threshold by cost"), N_("threshold by cross-validation")),
    N_("threshold by none"),
    *(N_("shortcut proven"), N_("shortcut not found at this power"), N_("shortcut inconclusive")),
    *(N_("figure balanced_accuracy"), N_("figure shared"), N_("figure defect_auc")),
    *(N_("learning written"), N_("learning refused"), N_("learning failed"), N_("learning cancelled")),
    N_("learning stopped"),
    *(N_("choice bundle_promoted"), N_("choice bundle_rolled_back")),
    *(N_("choice shadow_started"), N_("choice shadow_ended")),
    *(N_("because promoted"), N_("because not_comparable")),
    *(N_("stage exporting"), N_("stage reading"), N_("stage network"), N_("stage cross-validation")),
    *(N_("stage graph"), N_("stage parity")),
    *(N_("outcome passed"), N_("outcome exceeded"), N_("outcome below"), N_("outcome inconclusive")),
    *(N_("outcome underpowered"), N_("end")),
    *(N_("metric accuracy"), N_("metric balanced accuracy"), N_("metric sheets")),
    N_("%(share)s of the right verdicts flip, allowed up to %(most)s"),
    N_("%(share)s flip beyond the control, allowed up to %(most)s"),
    *(N_("value label"), N_("value state"), N_("value reason"), N_("value probability")),
    *(N_("value distance"), N_("value places")),
)
