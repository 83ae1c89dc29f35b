package archive

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/points"
)

// writes are calls that change what prepare has kept.
var writes = map[string]func(t *testing.T, s *Store) error{
	"Apply": func(t *testing.T, s *Store) error {
		t.Helper()
		return s.Apply(t.Context(), Batch{Runs: []RunState{
			stateOf(1, 20, verdict("Passed")), stateOf(2, 21, withCases), stateOf(3, 22, verdict("Failed"), gone), stateOf(4, 23),
		}, Cursor: "23"})
	},
	"Gone": func(t *testing.T, s *Store) error {
		t.Helper()
		return s.Gone(t.Context(), []string{uidOf(1), uidOf(3)}, epoch)
	},
	"AddChunk": func(t *testing.T, s *Store) error {
		t.Helper()
		chunk := chunkOf(ownerOf(1), push.Stream{Kind: push.Cases}, "0123456789", 0, 10)
		chunk.Cases = []CaseLine{lineOf(1, 5, "one", results.Failed), lineOf(2, 6, "new", results.Failed), lineOf(3, 7, "three", results.Skipped)}
		_, err := s.AddChunk(t.Context(), chunk)
		return err
	},
	"AddChunk of a new run": func(t *testing.T, s *Store) error {
		t.Helper()
		_, err := s.AddChunk(t.Context(), chunkOf(ownerOf(9), output, "0123456789", 0, 10))
		return err
	},
	"SetEnd": func(t *testing.T, s *Store) error {
		t.Helper()
		_, err := s.SetEnd(t.Context(), ownerOf(1), push.End{
			Streams: []push.StreamEnd{endOf(output, "0123"), endOf(push.Stream{Kind: push.Cases}, "")}, Missing: []string{"something"},
		})
		return err
	},
	"Expire": func(t *testing.T, s *Store) error {
		t.Helper()
		var err error
		for more := true; more && err == nil; {
			_, more, err = s.Expire(t.Context(), epoch.AddDate(2, 0, 0), DefaultPolicy, 2)
		}
		return err
	},
}

func prepare(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 10), stateOf(3, 11), stateOf(5, 12, verdict("Passed"), gone)}, Cursor: "12"}))
	must(t, s.AddCases(t.Context(), ownerOf(1), []CaseLine{lineOf(1, 0, "one", results.Passed), lineOf(2, 0, "two", results.Passed)}))
	addAll(t, s, "0123456789", chunkOf(ownerOf(1), output, "0123456789", 0, 4), chunkOf(ownerOf(5), output, "0123456789", 0, 4),
		chunkOf(ownerOf(5), output, "0123456789", 4, 4))
}

var errCrash = errors.New("crash")

// A program that dies before any statement leaves all of the transaction or nothing, and the same call then makes up for it.
func TestACrashBeforeAnyStatementLeavesNothingHalf(t *testing.T) {
	count := points.Of(t, "the server dies before a statement of a transaction")
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					prepare(t, s)
					reference := openLike(t, s)
					prepare(t, reference)
					must(t, write(t, reference))
					want := meaning(t, reference)
					crashed := false
					for at := 1; ; at++ {
						before := dump(t, s)
						after := s.crashAt(t, at, func() { crashed = write(t, s) != nil })
						if !crashed {
							break
						}
						if name != "Expire" { // It is several transactions.
							expectSame(t, fmt.Sprintf("after a crash before statement %d", at), dump(t, after), before)
						}
						count.Tried(t)
						if name == "Expire" {
							continue
						}
						must(t, write(t, after))
						expectSame(t, fmt.Sprintf("once more after a crash before statement %d", at), meaning(t, after), want)
						if after == s {
							s = openLike(t, s)
							prepare(t, s)
						}
					}
					expectSame(t, "without a crash", meaning(t, s), want)
				})
			}
		})
	}
}

func openLike(t *testing.T, s *Store) *Store {
	t.Helper()
	if s.dialect == postgres {
		return open(t, newPostgres(t))
	}
	return open(t, newSQLite(t))
}

// crashAt lets the program die before a statement, as seen by the database, and returns the store as it is afterwards: in PostgreSQL the
// connection is ended by the server; in SQLite the files are copied at that moment, as a loss of power would leave them.
func (s *Store) crashAt(t *testing.T, at int, call func()) *Store {
	t.Helper()
	after, count := s, 0
	s.beforeStatement = func(tx *transaction) error {
		count++
		if count != at {
			return nil
		}
		if s.dialect == sqlite {
			after = open(t, "sqlite:"+copyFiles(t, s))
			return errCrash
		}
		var pid int
		must(t, tx.tx.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
		_, err := s.write.ExecContext(t.Context(), "SELECT pg_terminate_backend($1, 10000)", pid)
		return err
	}
	call()
	s.beforeStatement = nil
	return after
}

// copyFiles copies the files of a database in the state in which they are, with a transaction under way.
func copyFiles(t *testing.T, s *Store) string {
	t.Helper()
	var path string
	must(t, s.read.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path))
	to := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		from, err := os.Open(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		must(t, err)
		into, err := os.Create(to + suffix)
		must(t, err)
		_, err = io.Copy(into, from)
		must(t, errors.Join(err, from.Close(), into.Close()))
	}
	return to
}

// Two replicas, or a replica and itself, that do the same at once and in another order leave what one alone leaves.
func TestTwoWritersLeaveWhatOneLeaves(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			random := rand.New(rand.NewPCG(7, 8))
			const runs = 12
			data := randomText(random, 300)
			var calls []func(s *Store) error
			for n := range runs {
				lines := randomLines(random, 8)
				calls = append(calls,
					func(s *Store) error {
						return s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(n, 10+n), stateOf((n+1)%runs, 11+n)}})
					},
					func(s *Store) error {
						return s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(n, 100+n, verdict("Passed"))}})
					},
					func(s *Store) error { return s.AddCases(t.Context(), ownerOf(n), lines[:len(lines)/2]) },
					func(s *Store) error { return s.AddCases(t.Context(), ownerOf(n), lines) },
					func(s *Store) error {
						for _, chunk := range chunksOf(ownerOf(n), output, data, 100) {
							if _, err := s.AddChunk(t.Context(), chunk); err != nil {
								return err
							}
						}
						return nil
					},
					func(s *Store) error {
						_, err := s.SetEnd(t.Context(), ownerOf(n), endWith(endOf(output, data)))
						return err
					},
				)
			}
			reference := openLike(t, s)
			for _, call := range calls {
				must(t, call(reference))
			}
			second := open(t, s.url(t))
			var writers sync.WaitGroup
			for i := range 4 {
				mine := append([]func(s *Store) error{}, calls...)
				random.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
				store := []*Store{s, second}[i%2]
				writers.Go(func() {
					for _, call := range mine {
						if err := call(store); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			writers.Wait()
			for n := range runs {
				state := mustGet(s.Stream(t.Context(), uidOf(n), 1, output))(t)
				if !state.Verified {
					t.Errorf("the stream of run %d is %+v", n, state)
				}
			}
			expectSame(t, "what four writers left", meaning(t, s), meaning(t, reference))
		})
	}
}

// url is where the store's database is.
func (s *Store) url(t *testing.T) string {
	t.Helper()
	if s.dialect == postgres {
		return s.address
	}
	var path string
	must(t, s.read.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path))
	return "sqlite:" + path
}

func TestABackupIsWhatThereWasWhileOthersWrite(t *testing.T) {
	s := open(t, newSQLite(t))
	prepare(t, s)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 100; ; n++ {
			select {
			case <-stop:
				return
			default:
				if err := s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(n, n, verdict("Passed"))}}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	path := filepath.Join(t.TempDir(), "backup.db")
	must(t, s.Backup(t.Context(), path))
	close(stop)
	writer.Wait()
	backup := open(t, "sqlite:"+path)
	if mustGet(backup.Cursor(t.Context()))(t) != "12" {
		t.Error("the backup has another cursor")
	}
	for _, line := range strings.Split(dump(t, backup), "\n") {
		if !strings.Contains(dump(t, s), line) && !strings.HasPrefix(line, "test_daily") && !strings.HasPrefix(line, "series") &&
			!strings.HasPrefix(line, "changes") {
			t.Errorf("the backup has what the database has not: %s", line)
		}
	}
	if err := s.Backup(t.Context(), path); !errors.Is(err, ErrInvalid) {
		t.Errorf("a backup over a file says: %v", err)
	}
}
