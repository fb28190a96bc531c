"""The tables, as numbered steps that are applied once each.

Times are RFC 3339 UTC text, sizes bytes, states the words of `recording.py`.
A step that has been released is never edited: the next change is a new step.
"""

from dock_agent.store.schema_scrub import SCRUB

FIRST = """
CREATE TABLE station (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE camera (
    id TEXT PRIMARY KEY,                -- model:serial
    model TEXT NOT NULL,
    serial TEXT NOT NULL,
    first_seen TEXT NOT NULL,
    last_seen TEXT NOT NULL
) STRICT;

CREATE TABLE docking (
    id TEXT PRIMARY KEY,                -- ULID
    camera TEXT NOT NULL REFERENCES camera (id),
    bay TEXT NOT NULL,
    state TEXT NOT NULL,
    bag TEXT NOT NULL,                  -- below the vault
    identity TEXT NOT NULL,             -- JSON: port, token, serials, file system
    opened_at TEXT NOT NULL,
    ended_at TEXT,                      -- sealed, or given up
    complete INTEGER,                   -- of a sealed one: 1 if nothing is missing
    reason TEXT
) STRICT;
CREATE INDEX docking_open ON docking (camera, state) WHERE state <> 'sealed';
CREATE INDEX docking_camera ON docking (camera);  -- and the order of writing
CREATE INDEX docking_opened ON docking (opened_at);

CREATE TABLE recording (
    id TEXT PRIMARY KEY,                -- ULID
    docking TEXT NOT NULL REFERENCES docking (id),
    camera TEXT NOT NULL REFERENCES camera (id),
    officer TEXT,
    start TEXT NOT NULL,
    name TEXT NOT NULL                  -- what its files share: directory and stem
) STRICT;
CREATE INDEX recording_docking ON recording (docking);
CREATE INDEX recording_start ON recording (start, id);
CREATE INDEX recording_camera ON recording (camera, start, id);

CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    docking TEXT NOT NULL REFERENCES docking (id),
    recording TEXT REFERENCES recording (id),
    path BLOB NOT NULL,                 -- raw bytes, as on the camera
    stored TEXT NOT NULL,               -- below the bag's data/
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL,
    sha256 TEXT,
    method TEXT,                        -- how it was read back
    counted INTEGER,                    -- bytes the kernel read from the medium
    held_by INTEGER REFERENCES file (id),
    reason TEXT,
    UNIQUE (docking, path)
) STRICT;
CREATE INDEX file_sha256 ON file (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX file_path ON file (path) WHERE state = 'verified';
CREATE INDEX file_recording ON file (recording);
CREATE INDEX file_held_by ON file (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX file_state ON file (docking, state, size);

CREATE TABLE part (                     -- PART_SIZE bytes each, from the offload
    file INTEGER NOT NULL REFERENCES file (id),
    number INTEGER NOT NULL,            -- from 1
    sha256 TEXT NOT NULL,
    PRIMARY KEY (file, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    place TEXT,                         -- where it is; another place is another name
    marker TEXT,                        -- the id that the place was given
    link TEXT NOT NULL,
    link_since TEXT,
    last_success TEXT,
    last_failure TEXT,
    failure TEXT,                       -- in words
    try_after TEXT,                     -- the whole destination rests until then
    attempts INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,  -- 1: a person holds it back
    capabilities TEXT NOT NULL DEFAULT '{}',
    goodput INTEGER,                    -- bytes a second, lately
    goodput_at TEXT
) STRICT;

CREATE TABLE transfer (
    id INTEGER PRIMARY KEY,
    destination TEXT NOT NULL REFERENCES destination (name),
    docking TEXT NOT NULL REFERENCES docking (id),
    file INTEGER REFERENCES file (id),  -- NULL for the bag's own files
    path TEXT NOT NULL,                 -- below the vault
    key TEXT NOT NULL,                  -- at the destination, after the prefix
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority IN (1, 2)),
    rank INTEGER NOT NULL DEFAULT 0,    -- smaller goes first: newest incident
    created_at TEXT NOT NULL,
    due TEXT NOT NULL DEFAULT '',       -- empty: now
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until TEXT,
    upload TEXT,                        -- the destination's handle
    generation INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,    -- bytes acknowledged
    etag TEXT,
    version TEXT,
    proof TEXT,
    confirmed_at TEXT,
    looked_at TEXT,                     -- when the destination was last asked again
    failure TEXT,
    UNIQUE (destination, key)
) STRICT;
CREATE INDEX transfer_queued ON transfer (destination, priority, due, rank, id)
    WHERE state = 'queued';
CREATE INDEX transfer_sending ON transfer (destination, lease_until)
    WHERE state = 'sending';
CREATE INDEX transfer_unsent ON transfer (destination, state, created_at)
    WHERE state <> 'confirmed';
CREATE INDEX transfer_docking ON transfer (docking, destination, state);
CREATE INDEX transfer_file ON transfer (file);
CREATE INDEX transfer_looked ON transfer (destination, looked_at, id)
    WHERE state = 'confirmed';

CREATE TABLE backlog (                  -- sums over transfer, kept by its triggers
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (destination, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER transfer_added AFTER INSERT ON transfer
BEGIN
    INSERT INTO backlog VALUES (NEW.destination, NEW.state, 1, NEW.size)
    ON CONFLICT DO UPDATE SET count = count + 1, size = size + excluded.size;
END;
CREATE TRIGGER transfer_moved AFTER UPDATE OF state ON transfer
WHEN OLD.state <> NEW.state
BEGIN
    UPDATE backlog SET count = count - 1, size = size - OLD.size
    WHERE destination = OLD.destination AND state = OLD.state;
    INSERT INTO backlog VALUES (NEW.destination, NEW.state, 1, NEW.size)
    ON CONFLICT DO UPDATE SET count = count + 1, size = size + excluded.size;
END;
CREATE TRIGGER transfer_keeps BEFORE DELETE ON transfer
BEGIN SELECT RAISE (ABORT, 'a transfer is never deleted'); END;
CREATE TRIGGER transfer_stands BEFORE UPDATE OF destination, size, sha256 ON transfer
BEGIN SELECT RAISE (ABORT, 'what a transfer is about never changes'); END;

CREATE TABLE transfer_part (
    transfer INTEGER NOT NULL REFERENCES transfer (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    number INTEGER NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (transfer, generation, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE custody (
    seq INTEGER PRIMARY KEY,            -- from 1, no gaps
    docking TEXT,                       -- NULL: about the station
    docking_seq INTEGER,
    line TEXT NOT NULL,                 -- canonical JSON, no newline
    sha256 TEXT NOT NULL UNIQUE         -- of the line's bytes
) STRICT;
CREATE INDEX custody_docking ON custody (docking, docking_seq);

-- REPLACE deletes without a trigger: a line that is there stands in its way.
CREATE TRIGGER custody_grows BEFORE INSERT ON custody
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM custody)
    OR EXISTS (SELECT 1 FROM custody WHERE sha256 = NEW.sha256)
BEGIN SELECT RAISE (ABORT, 'the custody log grows at its end'); END;
CREATE TRIGGER custody_keeps BEFORE DELETE ON custody
BEGIN SELECT RAISE (ABORT, 'the custody log is append-only'); END;
CREATE TRIGGER custody_stands BEFORE UPDATE ON custody
BEGIN SELECT RAISE (ABORT, 'the custody log is append-only'); END;
"""

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

STEPS: tuple[tuple[str, str], ...] = (
    ("0001_first", FIRST),
    ("0002_configured", CONFIGURED),
    ("0003_axis_place", AXIS_PLACE),
    ("0004_apart", APART),
    ("0005_erasing", ERASING),
    ("0006_checkpoints", CHECKPOINTS),
    ("0007_facts", FACTS),
    ("0010_scrub", SCRUB),
)
