"""RUN folders as files: which lie below a folder, what they hold, their removal; no torch, and no DATA."""
