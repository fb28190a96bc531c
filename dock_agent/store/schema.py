"""The tables, as numbered steps that are applied once each.

Times are RFC 3339 UTC text, sizes bytes, states the words of `recording.py`.
A step that has been released is never edited: the next change is a new step.
"""

from dock_agent.store.schema_first import FIRST
from dock_agent.store.schema_scrub import SCRUB

CONFIGURED = """
ALTER TABLE destination ADD COLUMN configured INTEGER NOT NULL DEFAULT 1
    CHECK (configured IN (0, 1));       -- 0: the configuration names it no longer
"""

# An Axis place was remembered as the path of its connection file, which says nothing
# of where it is: one that has no marker would be taken for another place.
AXIS_PLACE = """
UPDATE destination SET place = NULL WHERE kind = 'axis' AND place LIKE '/%';
"""

APART = """
CREATE INDEX transfer_apart ON transfer (id)
    WHERE state = 'confirmed' AND failure IS NOT NULL;
"""

ERASING = """
ALTER TABLE file ADD COLUMN retries INTEGER;  -- readings that failed; NULL: not known

CREATE TABLE hold (
    docking TEXT PRIMARY KEY REFERENCES docking (id),
    placed_by TEXT NOT NULL,
    why TEXT NOT NULL,
    placed_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE clearing (                 -- a docking's files on its camera
    docking TEXT PRIMARY KEY REFERENCES docking (id),
    policy TEXT NOT NULL,
    state TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    ended_at TEXT,
    reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX clearing_open ON clearing (docking) WHERE state <> 'cleared';

CREATE TABLE erasure (
    file INTEGER PRIMARY KEY REFERENCES file (id),
    docking TEXT NOT NULL REFERENCES clearing (docking),
    state TEXT NOT NULL
) STRICT;
CREATE INDEX erasure_kept ON erasure (file) WHERE state = 'kept';
CREATE INDEX erasure_docking ON erasure (docking, state);
CREATE TRIGGER erasure_keeps BEFORE DELETE ON erasure
BEGIN SELECT RAISE (ABORT, 'what was erased is never forgotten'); END;
"""

FACTS = """
ALTER TABLE docking ADD COLUMN derived INTEGER NOT NULL DEFAULT 0
    CHECK (derived IN (0, 1));          -- 1: its files were looked at for facts
CREATE INDEX docking_not_derived ON docking (id)
    WHERE state = 'sealed' AND derived = 0;

CREATE TABLE fact (                     -- derived: may be made again
    file INTEGER PRIMARY KEY REFERENCES file (id),
    told TEXT,                          -- JSON; NULL: nothing
    reason TEXT,                        -- why it told nothing
    looked_at TEXT NOT NULL
) STRICT;

CREATE TABLE finding (                  -- what is odd in a docking's timeline
    docking TEXT NOT NULL REFERENCES docking (id),
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (docking, number)
) STRICT, WITHOUT ROWID;
"""

CHECKPOINTS = """
CREATE TABLE custody_tree (             -- the log's complete subtrees
    level INTEGER NOT NULL CHECK (level > 0),  -- of 16, 256, … lines
    number INTEGER NOT NULL,            -- from 0, no gaps
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER custody_tree_grows BEFORE INSERT ON custody_tree
WHEN NEW.number <> (SELECT coalesce(max(number) + 1, 0) FROM custody_tree
    WHERE level = NEW.level)
BEGIN SELECT RAISE (ABORT, 'the tree grows at its end'); END;
CREATE TRIGGER custody_tree_keeps BEFORE DELETE ON custody_tree
BEGIN SELECT RAISE (ABORT, 'the tree is append-only'); END;
CREATE TRIGGER custody_tree_stands BEFORE UPDATE ON custody_tree
BEGIN SELECT RAISE (ABORT, 'the tree is append-only'); END;

CREATE TABLE checkpoint (
    number INTEGER PRIMARY KEY,         -- from 1, no gaps
    size INTEGER NOT NULL,              -- lines of the log
    note TEXT NOT NULL,                 -- as it was signed
    made_at TEXT NOT NULL
) STRICT;
CREATE TRIGGER checkpoint_grows BEFORE INSERT ON checkpoint
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM checkpoint)
    OR NEW.size <= (SELECT coalesce(max(size), 0) FROM checkpoint)
BEGIN SELECT RAISE (ABORT, 'a checkpoint comes after the last one'); END;
CREATE TRIGGER checkpoint_keeps BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE (ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoint_stands BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE (ABORT, 'checkpoints are append-only'); END;

CREATE TABLE alarm (                    -- where the log is not what it was
    place TEXT PRIMARY KEY,             -- "station", or a destination's name
    told TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE witness (                  -- the last checkpoint that a place proved
    destination TEXT PRIMARY KEY REFERENCES destination (name),
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

ENCRYPTED = """
ALTER TABLE file ADD COLUMN cipher_sha256 TEXT;  -- of the copy, if it is encrypted
ALTER TABLE file ADD COLUMN cipher_size INTEGER;
ALTER TABLE file ADD COLUMN cipher_keys TEXT;    -- whose keys open it: ids, spaced
"""

RETENTION = """
CREATE TABLE category (                 -- absent: unclassified, which is kept
    recording TEXT PRIMARY KEY REFERENCES recording (id),
    name TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE approval (                 -- of terms that destroy more: two people
    plan TEXT NOT NULL,                 -- SHA-256
    uid INTEGER NOT NULL,               -- of the machine's user
    actor TEXT NOT NULL,
    given_at TEXT NOT NULL,
    PRIMARY KEY (plan, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE expiry (                   -- of the vault's own copies
    file INTEGER PRIMARY KEY REFERENCES file (id),
    state TEXT NOT NULL
) STRICT;
CREATE INDEX expiry_open ON expiry (file) WHERE state = 'intended';
"""

TIMESTAMPS = """
CREATE TABLE timestamp (                -- RFC 3161, of a checkpoint's note
    checkpoint INTEGER PRIMARY KEY REFERENCES checkpoint (number),
    token BLOB NOT NULL,                -- the authority's answer, DER
    kept_at TEXT NOT NULL
) STRICT;
CREATE TRIGGER timestamp_first BEFORE INSERT ON timestamp
WHEN EXISTS (SELECT 1 FROM timestamp WHERE checkpoint = NEW.checkpoint)
BEGIN SELECT RAISE (ABORT, 'a checkpoint is stamped once'); END;
CREATE TRIGGER timestamp_keeps BEFORE DELETE ON timestamp
BEGIN SELECT RAISE (ABORT, 'time stamps are append-only'); END;
CREATE TRIGGER timestamp_stands BEFORE UPDATE ON timestamp
BEGIN SELECT RAISE (ABORT, 'time stamps are append-only'); END;
"""

# The index of digests was a quarter of what a line cost, and nothing looked one up.
# Only REPLACE could make use of it, to put a line in the place of another.
CUSTODY_LEAN = """
CREATE TABLE custody_lean (
    seq INTEGER PRIMARY KEY,            -- from 1, no gaps
    docking TEXT,                       -- NULL: about the station
    docking_seq INTEGER,
    line TEXT NOT NULL,                 -- canonical JSON, no newline
    sha256 TEXT NOT NULL                -- of the line's bytes
) STRICT;
INSERT INTO custody_lean SELECT seq, docking, docking_seq, line, sha256 FROM custody
    ORDER BY seq;
DROP TABLE custody;
ALTER TABLE custody_lean RENAME TO custody;
CREATE INDEX custody_docking ON custody (docking, docking_seq);
CREATE TRIGGER custody_grows BEFORE INSERT ON custody
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM custody)
BEGIN SELECT RAISE (ABORT, 'the custody log grows at its end'); END;
CREATE TRIGGER custody_keeps BEFORE DELETE ON custody
BEGIN SELECT RAISE (ABORT, 'the custody log is append-only'); END;
CREATE TRIGGER custody_stands BEFORE UPDATE ON custody
BEGIN SELECT RAISE (ABORT, 'the custody log is append-only'); END;
"""

ACKNOWLEDGED = """
ALTER TABLE alarm ADD COLUMN acknowledged_by TEXT;  -- NULL: nobody has yet
ALTER TABLE alarm ADD COLUMN why TEXT;
"""

STEPS: tuple[tuple[str, str], ...] = (
    ("0001_first", FIRST),
    ("0002_configured", CONFIGURED),
    ("0003_axis_place", AXIS_PLACE),
    ("0004_apart", APART),
    ("0005_erasing", ERASING),
    ("0006_checkpoints", CHECKPOINTS),
    ("0007_facts", FACTS),
    ("0008_encrypted", ENCRYPTED),
    ("0010_scrub", SCRUB),
    ("0011_retention", RETENTION),
    ("0012_custody", TIMESTAMPS + CUSTODY_LEAN + ACKNOWLEDGED),
)
