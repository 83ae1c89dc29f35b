package server

import (
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/archive/ingest"
	"github.com/testrun-dev/testrun/internal/push"
)

// place is a database with its blobs.
type place struct{ database, blobs string }

func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	return place{"sqlite:" + filepath.Join(dir, "archive.db"), "file:" + filepath.Join(dir, "blobs")}
}

func (p place) open(t *testing.T) (*archive.Store, blobs.Blobs) {
	t.Helper()
	store, err := archive.Open(t.Context(), p.database)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := blobs.Open(t.Context(), p.blobs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = kept.Close()
		_ = store.Close()
	})
	return store, kept
}

var output = push.Stream{Kind: push.Output}

// fill keeps a run with a line of output.
func (p place) fill(t *testing.T, name string) {
	t.Helper()
	store, kept := p.open(t)
	owner := archive.Owner{UID: "uid-of-" + name, Namespace: "team-a", Name: name, Series: name, Created: time.Unix(1, 0), Attempt: 1}
	state := archive.RunState{Run: archive.Run{
		UID: owner.UID, Namespace: owner.Namespace, Name: name, Series: name, Phase: "Finished", Verdict: "Passed",
		Created: owner.Created, Finished: time.Now(), ResourceVersion: "41",
	}, Object: []byte("{}")}
	if err := store.Apply(t.Context(), archive.Batch{Runs: []archive.RunState{state}, Cursor: "41"}); err != nil {
		t.Fatal(err)
	}
	_, err := (ingest.Keeper{Store: store, Blobs: kept}).Keep(t.Context(), archive.NewChunk{
		Owner: owner, Stream: output, Source: archive.FromRunner, Chunk: archive.Chunk{Length: int64(len(name))}, Data: []byte(name),
	}, blobs.Pack([]byte(name)))
	if err != nil {
		t.Fatal(err)
	}
}

// expect says that a run is kept with its output.
func (p place) expect(t *testing.T, name string) {
	t.Helper()
	store, kept := p.open(t)
	run, err := store.Run(t.Context(), "uid-of-"+name)
	if err != nil || run.Verdict != "Passed" {
		t.Errorf("run %s is %+v, %v", name, run, err)
	}
	chunks, err := store.Chunks(t.Context(), "uid-of-"+name, 1, output, 0, 10)
	if err != nil || len(chunks) != 1 {
		t.Fatalf("the chunks of run %s are %+v, %v", name, chunks, err)
	}
	body, err := kept.Get(t.Context(), chunks[0].Key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	packed, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := blobs.Unpack(packed, chunks[0].Length); err != nil || string(plain) != name {
		t.Errorf("the output of run %s is %q, %v", name, plain, err)
	}
	if cursor, err := store.Cursor(t.Context()); err != nil || cursor != "41" {
		t.Errorf("the cursor is %q, %v", cursor, err)
	}
}

func TestACopyHasEverythingAndMayBeMadeAgain(t *testing.T) {
	from, to, log := newPlace(t), newPlace(t), slog.New(slog.DiscardHandler)
	from.fill(t, "smoke")
	from.fill(t, "other")
	for range 2 {
		if err := Copy(t.Context(), from.database, to.database, from.blobs, to.blobs, log); err != nil {
			t.Fatal(err)
		}
	}
	to.expect(t, "smoke")
	to.expect(t, "other")
}

func TestABackupIsRestoredByPuttingItInPlace(t *testing.T) {
	kept, restored := newPlace(t), newPlace(t)
	kept.fill(t, "smoke")
	restored.blobs = kept.blobs
	if err := Backup(t.Context(), kept.database, strings.TrimPrefix(restored.database, "sqlite:")); err != nil {
		t.Fatal(err)
	}
	restored.expect(t, "smoke")
}

func TestWhatCannotBeCopiedIsSaid(t *testing.T) {
	to, log := newPlace(t), slog.New(slog.DiscardHandler)
	for name, test := range map[string]struct {
		do   func() error
		want string
	}{
		"a copy of nothing": {
			func() error { return Copy(t.Context(), "sqlite:/none/archive.db", to.database, "", "", log) }, "opening the database",
		},
		"a backup of nothing":    {func() error { return Backup(t.Context(), "sqlite:/none/archive.db", "/none/backup.db") }, "opening the database"},
		"a backup of PostgreSQL": {func() error { return Backup(t.Context(), "postgres://db/archive", "/none/backup.db") }, "use pg_dump"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.do(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}
