package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	testpg "github.com/testrun-dev/testrun/test/postgres"
)

// started is the PostgreSQL server of all tests; nil before the first one needs it.
var started *testpg.Server

var server = sync.OnceValues(func() (*testpg.Server, error) {
	var err error
	started, err = testpg.Start(context.Background())
	return started, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop PostgreSQL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// both open an empty store of each kind.
var both = map[string]func(t *testing.T) *Store{
	"SQLite":     func(t *testing.T) *Store { t.Helper(); return open(t, newSQLite(t)) },
	"PostgreSQL": func(t *testing.T) *Store { t.Helper(); return open(t, newPostgres(t)) },
}

func newSQLite(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "a #?% file.db")
}

func newPostgres(t *testing.T) string {
	t.Helper()
	running, err := server()
	must(t, err)
	url, err := running.NewDatabase(t.Context())
	must(t, err)
	return url
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustGet[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return value
	}
}

// epoch is when the first run of a test was created.
var epoch = time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC)

// stateOf is a state of the run n of the series "smoke", created n minutes after the epoch.
func stateOf(n, version int, change ...func(*RunState)) RunState {
	created := epoch.Add(time.Duration(n) * time.Minute)
	state := RunState{
		Run: Run{
			UID: uidOf(n), Namespace: "default", Name: fmt.Sprintf("smoke-%d", n), Test: "smoke", Series: "smoke",
			Phase: "InProgress", Created: created, Started: created.Add(time.Second), ResourceVersion: fmt.Sprint(version),
		},
		Attempts: []Attempt{{Number: 1, Job: fmt.Sprintf("smoke-%d-1", n), Pod: "pod", Created: created}},
		Object:   []byte("object"),
	}
	for _, change := range change {
		change(&state)
	}
	return state
}

func uidOf(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

func verdict(verdict string) func(*RunState) {
	return func(s *RunState) {
		s.Run.Phase, s.Run.Verdict, s.Run.Finished = "Finished", verdict, s.Run.Started.Add(time.Minute)
		for i := range s.Attempts {
			s.Attempts[i].Verdict, s.Attempts[i].Finished = verdict, s.Run.Finished
		}
	}
}

func gone(s *RunState) { s.Run.Deleted = s.Run.Created.Add(time.Hour) }

func in(namespace, series string) func(*RunState) {
	return func(s *RunState) { s.Run.Namespace, s.Run.Series, s.Run.Test = namespace, series, series }
}

func ownerOf(n int) Owner {
	run := stateOf(n, 1).Run
	return Owner{UID: run.UID, Namespace: run.Namespace, Name: run.Name, Test: run.Test, Series: run.Series, Created: run.Created, Attempt: 1}
}

// chunksOf cuts a stream of a run into chunks of a size.
func chunksOf(owner Owner, stream push.Stream, data string, size int) []NewChunk {
	var chunks []NewChunk
	for offset := 0; offset < len(data); offset += size {
		chunks = append(chunks, chunkOf(owner, stream, data, offset, min(size, len(data)-offset)))
	}
	return chunks
}

func chunkOf(owner Owner, stream push.Stream, data string, offset, length int) NewChunk {
	return NewChunk{
		Owner: owner, Stream: stream, Source: FromRunner, Data: []byte(data[offset : offset+length]),
		Chunk: Chunk{Offset: int64(offset), Length: int64(length), Key: fmt.Sprintf("%s/%d/%s/%d-%d", owner.UID, owner.Attempt, stream.Kind, offset, length), Size: 10},
	}
}

func endOf(stream push.Stream, data string) push.StreamEnd {
	sum := sha256.Sum256([]byte(data))
	return push.StreamEnd{Kind: stream.Kind, Path: stream.Path, Length: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

var output = push.Stream{Kind: push.Output}

// lineOf is the line of a case: the longer the offset, the later the line.
func lineOf(number, offset int, name string, outcome results.Outcome) CaseLine {
	return CaseLine{push.Case{Number: int64(number), Name: name, Suite: "suite", Outcome: outcome, Microseconds: 1000}, int64(offset)}
}

// dump is all that is kept, as text: what a call that should change nothing must not change.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	var out strings.Builder
	for _, table := range append([]table{{"cursor_of_watch", 1, "id bigint, resource_version text", 1}}, tables...) {
		c := copying{from: s}
		c.portion = 100_000
		content, err := c.read(t.Context(), &table, nil)
		must(t, err)
		for _, row := range content {
			fmt.Fprintln(&out, table.name, row)
		}
	}
	return out.String()
}

// meaning is what is kept as readers see it, without the ids, which depend on the order in which things came.
func meaning(t *testing.T, s *Store) string {
	t.Helper()
	var out strings.Builder
	show := func(value any, err error) {
		must(t, err)
		fmt.Fprintf(&out, "%+v\n", value)
	}
	runs, _, err := s.Runs(t.Context(), Filter{}, Page{Limit: MaxPage})
	must(t, err)
	for _, run := range runs {
		show(s.Run(t.Context(), run.UID))
		attempts, err := s.Attempts(t.Context(), run.UID)
		must(t, err)
		for _, attempt := range attempts {
			attempt.ExitCode = nil
			show(attempt, nil)
			cases, _, err := s.Cases(t.Context(), CaseQuery{UID: run.UID, Attempt: attempt.Number, Limit: MaxPage})
			show(cases, err)
			streams, _, err := s.Streams(t.Context(), run.UID, attempt.Number, push.Stream{}, MaxPage)
			show(streams, err)
		}
		one, all, err := s.Usage(t.Context(), run.Namespace, run.UID)
		show([]Amount{one, all}, err)
	}
	flaky, _, err := s.Flaky(t.Context(), Filter{}, FlakyKey{}, MaxPage)
	must(t, err)
	slices.SortFunc(flaky, func(a, b FlakyCase) int { return cmp.Or(-cmp.Compare(a.Heat, b.Heat), cmp.Compare(a.Name, b.Name)) })
	for _, one := range flaky {
		one.ID = 0
		show(one, nil)
	}
	tests, _, err := s.Tests(t.Context(), Filter{}, SeriesKey{}, MaxPage)
	show(tests, err)
	for _, test := range tests {
		show(s.Trend(t.Context(), test.Namespace, test.Series, epoch.AddDate(-1, 0, 0), epoch.AddDate(1, 0, 0)))
	}
	var names []CaseName
	must(t, s.list(t.Context(), "SELECT namespace, series, suite, name FROM case_defs ORDER BY hash", nil, func(scan scanner) error {
		var name CaseName
		err := scan(&name.Namespace, &name.Series, &name.Suite, &name.Name)
		names = append(names, name)
		return err
	}))
	for _, name := range names {
		days, err := s.CaseTrend(t.Context(), name, epoch.AddDate(-1, 0, 0), epoch.AddDate(1, 0, 0))
		if len(days) > 0 || err != nil {
			show([]any{name, days}, err)
		}
	}
	must(t, s.list(t.Context(), `SELECT d.name, r.uid, c.attempt, c.number, c.outcome, s.uid, c.streak, c.flips FROM case_state c
		JOIN case_defs d ON d.id = c.case_id JOIN runs r ON r.id = c.run_id JOIN runs s ON s.id = c.since_run_id ORDER BY d.hash`, nil,
		func(scan scanner) error {
			var name, uid, since string
			var figures [5]int64
			err := scan(&name, &uid, &figures[0], &figures[1], &figures[2], &since, &figures[3], &figures[4])
			show([]any{name, uid, since, figures}, err)
			return err
		}))
	return out.String()
}

func expectSame(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s: line %d is\n%s\nand not\n%s", what, i, strings.Join(g[min(i, len(g)):min(i+1, len(g))], ""),
				strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
}
