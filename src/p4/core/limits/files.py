"""Copying files (spec/files.md)."""

from __future__ import annotations

# --- specification --------------------------------------------------------------------------------

FILES_VERSION = 1
"""Version of the protocol of spec/files.md."""

FILE_PIECE_BYTES = 256 * 1024
"""Most bytes of a file in one DATA."""

FILE_FRAME_BYTES = 256 * 1024
"""Most bytes of the body of any frame."""

FILE_HOLE_BYTES = 64 * 1024 * 1024
"""Most bytes of one HOLE: each costs the receiver a step of hashing."""

FILE_PATH_BYTES = 4096
"""Longest path on the wire, in UTF-8, and longest target of a link."""

FILE_PATH_PARTS = 128
"""Most names in a path."""

FILE_NAME_BYTES = 255
"""Longest name in a path, in UTF-8; what nearly every file system takes."""

FILE_ENTRIES = 1_000_000
"""Most files, folders and links of one transfer."""

# --- this implementation --------------------------------------------------------------------------

FILE_BLOCK_BYTES = 1024 * 1024
"""Read from a disk, and handed to a stream, in one turn of a thread."""

FILE_SYNC_BYTES = 16 * 1024 * 1024
"""Received before the disk is told to make it safe, which is when the sender may forget it."""

FILE_FLUSH_BYTES = 4 * 1024 * 1024
"""Received before the disk begins to write it, while more arrives."""

FILE_SYNC_FILES = 256
"""Likewise in whole files: each costs a synchronisation, and several at a time share one."""

FILE_SYNC_SECONDS = 2.0
"""And after so long: what came over a slow line is dear."""

FILE_RESERVE_BYTES = 64 * 1024 * 1024
"""Bytes that a transfer leaves free on a disk: a full one harms more than a copy that failed."""

FILE_COMPARED = 100
"""Of "name (2)", "name (3)" and so on, how many are tried."""

FILE_TRANSFERS = 4
"""Transfers that run at a time with one contact, in each direction; more wait."""

FILE_RETRIES = 5
"""Attempts in a row that brought nothing new, after which a transfer has failed."""

FILE_RETRY_SECONDS = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Pauses before them."""

FILE_NOTES = 1000
"""Notes kept about single files of a transfer; the rest is counted."""

FILE_HISTORY = 200
"""Ended transfers that are remembered."""

FILE_PARTIAL_DAYS = 30
"""What was received in part and never finished is deleted after so long."""

FILE_PROGRESS_SECONDS = 0.25
"""Between two reports of a transfer's progress."""

FILE_LISTING = 10_000
"""Names that one listing of a folder holds."""

FILE_SPOOL_BYTES = 16 * 1024 * 1024 * 1024
"""Most bytes of one file that a web page hands over to be sent."""
