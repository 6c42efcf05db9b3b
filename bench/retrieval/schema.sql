-- Metadata of an index. A row of `files` is a clip of a data set: a file, or a window of it.
-- Ids count upwards and never come back; the id of a chunk is its row in the file of vectors.
CREATE TABLE state (  -- a single row
  id TEXT NOT NULL,  -- of the card
  n_rows INTEGER NOT NULL  -- rows of vectors, also of removed chunks
) STRICT;

CREATE TABLE files (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  dataset TEXT NOT NULL,
  clip TEXT NOT NULL,
  path TEXT NOT NULL,
  content TEXT NOT NULL,  -- digest of the clip's content
  start REAL NOT NULL,  -- where the clip starts in its file, in s
  seconds REAL NOT NULL,
  UNIQUE (content, clip)
) STRICT;

CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  start REAL NOT NULL,  -- in the file, in s
  "end" REAL NOT NULL,
  checksum INTEGER NOT NULL  -- CRC-32 of the vector's bytes
) STRICT;
CREATE INDEX chunks_of_file ON chunks (file);

CREATE TABLE removed (  -- chunks that are gone; their ids never come back
  id INTEGER PRIMARY KEY,
  is_erased INTEGER NOT NULL DEFAULT 0  -- whether the row of the vector holds zeros
) STRICT;
CREATE INDEX removed_to_erase ON removed (id) WHERE NOT is_erased;

CREATE TABLE labels (
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (file, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_value ON labels (name, value);

CREATE TABLE captions (  -- every text about a file
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  start REAL NOT NULL,  -- part of the file that the text is about, in s
  "end" REAL NOT NULL,
  kind TEXT NOT NULL,  -- caption, transcript, tags, acoustics or labels
  text TEXT NOT NULL,
  model TEXT NOT NULL  -- what wrote the text
) STRICT;
CREATE INDEX captions_of_file ON captions (file);

CREATE TABLE domains (
  file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  domain TEXT NOT NULL,
  score REAL NOT NULL,
  model TEXT NOT NULL,
  PRIMARY KEY (file, domain, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE clusters (
  file INTEGER PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
  cluster TEXT NOT NULL
) STRICT;

CREATE TABLE titles (
  cluster TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  model TEXT NOT NULL
) STRICT;

CREATE TABLE sentences (
  caption INTEGER NOT NULL REFERENCES captions (id) ON DELETE CASCADE,
  encoder TEXT NOT NULL,
  vector BLOB NOT NULL,  -- float32, unit length
  PRIMARY KEY (caption, encoder)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE words USING fts5 (
  text, content = 'captions', content_rowid = 'id', tokenize = 'porter unicode61'
);
CREATE TRIGGER captions_added AFTER INSERT ON captions BEGIN
  INSERT INTO words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER captions_removed AFTER DELETE ON captions BEGIN
  INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER captions_changed AFTER UPDATE ON captions BEGIN
  INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
  INSERT INTO words (rowid, text) VALUES (new.id, new.text);
END;
