package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestTheAddressOfADatabaseIsCheckedWithoutShowingThePassword(t *testing.T) {
	for _, url := range []string{"", "sqlite:", "mysql://user:secret@host/db", "/a/path", "postgres://user:secret@host:port/db"} {
		_, err := Open(t.Context(), url)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("opening %q says: %v", url, err)
		}
	}
}

func TestADatabaseOpensAgainWithWhatItHolds(t *testing.T) {
	for name, url := range map[string]string{"SQLite": newSQLite(t), "PostgreSQL": newPostgres(t)} {
		t.Run(name, func(t *testing.T) {
			first := open(t, url)
			must(t, first.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 5)}, Cursor: "5"}))
			must(t, first.Close())
			second := open(t, url)
			must(t, second.Ping(t.Context()))
			if run := mustGet(second.Run(t.Context(), uidOf(1)))(t); run.Name != "smoke-1" {
				t.Errorf("the run is %+v", run)
			}
		})
	}
}

func TestADatabaseThatANewerProgramMigratedIsRefused(t *testing.T) {
	for name, url := range map[string]string{"SQLite": newSQLite(t), "PostgreSQL": newPostgres(t)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, url)
			_, err := s.write.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
			must(t, err)
			must(t, s.Close())
			_, err = Open(t.Context(), url)
			if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "version 99") {
				t.Errorf("opening says: %v", err)
			}
		})
	}
}

func TestReplicasThatStartAtOnceMigrateOnce(t *testing.T) {
	for name, url := range map[string]string{"SQLite": newSQLite(t), "PostgreSQL": newPostgres(t)} {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					s, err := Open(t.Context(), url)
					if err != nil {
						t.Error(err)
						return
					}
					s.Close()
				})
			}
			all.Wait()
		})
	}
}

// What CopyTo copies is what the migrations made, in both databases: no column is forgotten.
func TestTheTablesToCopyAreThoseOfTheDatabase(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			var want, got []string
			for _, table := range tables {
				for _, column := range table.names() {
					want = append(want, table.name+"."+column)
				}
			}
			statement := `SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`
			if s.dialect == postgres {
				statement = `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'`
			}
			must(t, s.list(t.Context(), statement, nil, func(scan scanner) error {
				var column string
				err := scan(&column)
				name, _, _ := strings.Cut(column, ".")
				if !slices.Contains([]string{"goose_db_version", "copied", "cursor_of_watch", "change_number", "sqlite_sequence"}, name) &&
					!strings.HasPrefix(name, "case_results_") {
					got = append(got, column)
				}
				return err
			}))
			slices.Sort(got)
			slices.Sort(want)
			expectSame(t, "columns", strings.Join(got, "\n"), strings.Join(want, "\n"))
		})
	}
}

func TestAFullDiskMakesTheStoreReadOnlyUntilThereIsRoom(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 1)}, Cursor: "1"}))
			fill(t, s)
			before := dump(t, s)
			big := stateOf(2, 2)
			big.Object = make([]byte, 1<<20)
			for _, call := range map[string]func() error{
				"Apply":    func() error { return s.Apply(t.Context(), Batch{Runs: []RunState{big}, Cursor: "2"}) },
				"AddChunk": func() error { return addMany(t, s) },
			} {
				err := call()
				if !errors.Is(err, ErrReadOnly) || !strings.Contains(s.ReadOnly(), "make room") {
					t.Fatalf("the error is %v, and the reason %q", err, s.ReadOnly())
				}
			}
			if mustGet(s.Run(t.Context(), uidOf(1)))(t).Name != "smoke-1" {
				t.Error("what is kept cannot be read")
			}
			if s.dialect == postgres {
				expectSame(t, "what is kept", dump(t, s), before)
			}
			makeRoom(t, s)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{big}, Cursor: "2"}))
			if s.ReadOnly() != "" {
				t.Errorf("it is still read-only: %s", s.ReadOnly())
			}
		})
	}
}

// addMany adds chunks until there is an error.
func addMany(t *testing.T, s *Store) error {
	t.Helper()
	for i := range 10_000 {
		chunk := chunkOf(ownerOf(3), output, strings.Repeat("x", 20_000), i, 1)
		chunk.Chunk.Key += strings.Repeat("x", 10_000)
		if s.dialect == postgres {
			chunk.Chunk.Key = fmt.Sprint(i)
		}
		if _, err := s.AddChunk(t.Context(), chunk); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the database say that the disk is full. SQLite says so of a file that may not grow. In PostgreSQL a trigger says it, with the
// code that a full disk has.
func fill(t *testing.T, s *Store) {
	t.Helper()
	if s.dialect == sqlite {
		var pages int
		must(t, s.get(t.Context(), "PRAGMA page_count", nil, &pages))
		_, err := s.write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages+3))
		must(t, err)
		return
	}
	_, err := s.write.ExecContext(t.Context(), `CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION USING ERRCODE = ''53100'', MESSAGE = ''could not extend file''; END';
		CREATE TRIGGER fill BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION fill()`)
	must(t, err)
}

func makeRoom(t *testing.T, s *Store) {
	t.Helper()
	statement := "DROP TRIGGER fill ON runs"
	if s.dialect == sqlite {
		statement = "PRAGMA max_page_count = 1000000"
	}
	_, err := s.write.ExecContext(t.Context(), statement)
	must(t, err)
}
