"""A study in one file: trained where there is no network and no DVC, and taken in again.

`contents` says what a bundle holds; `packing` and `taking` work where the study lies, `worker`,
`one_run` and `check` where it is trained, with torch, torchvision and numpy alone.
"""
