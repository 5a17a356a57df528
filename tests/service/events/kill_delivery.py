"""Delivers from the ledger in its argument until it is killed; run by test_delivery_kill.py."""

import sys
import threading

from steelsight.ledger.database.open import open_ledger
from steelsight.service.console import SharedWriter
from steelsight.service.events.outbox.serving import ServingOptions
from steelsight.service.events.outbox.worker import Delivery, DeliveryOptions
from steelsight.service.settings.events import EventSettings

ledger = open_ledger(sys.argv[1])
settings = EventSettings(allowed_networks=("127.0.0.0/8",), delivery_backoff_s=0.2)
options = DeliveryOptions(survey_s=0.1, idle_survey_s=0.1, news_s=0.02, serving=ServingOptions(save_s=0.2))
Delivery(ledger, SharedWriter(ledger, f"console {sys.argv[2]}"), settings, options).start()
sys.stdout.write("started\n")
sys.stdout.flush()
threading.Event().wait()
