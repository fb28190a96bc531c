"""The step that lets the station look at its own vault again: scrub and alerts."""

SCRUB = """
CREATE TABLE scrub (                    -- each file of the sealed bags
    path TEXT PRIMARY KEY,              -- below the vault
    docking TEXT NOT NULL REFERENCES docking (id),
    file INTEGER REFERENCES file (id),  -- NULL: one of the bag's own
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,               -- as it was verified, or sealed
    checked_at TEXT NOT NULL,           -- when it was last read again
    method TEXT                         -- how; NULL: by the offload
) STRICT, WITHOUT ROWID;
CREATE INDEX scrub_due ON scrub (checked_at, path);
CREATE INDEX scrub_docking ON scrub (docking);

CREATE TABLE alert (                    -- what was found, and is to be mended
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL,                -- "vault", or a destination's name
    path TEXT NOT NULL,                 -- below the vault
    told TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    mended_at TEXT                      -- NULL: it stands
) STRICT;
CREATE UNIQUE INDEX alert_open ON alert (place, path) WHERE mended_at IS NULL;
CREATE INDEX alert_mended ON alert (mended_at) WHERE mended_at IS NOT NULL;
CREATE TRIGGER alert_keeps BEFORE DELETE ON alert
BEGIN SELECT RAISE (ABORT, 'an alert is never deleted'); END;
"""
