package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// world is an archive with its API, in front of a real API server.
type world struct {
	*testing.T
	store  *archive.Store
	blobs  blobs.Blobs
	server *httptest.Server
	// checks holds every answer against the OpenAPI document.
	checks checker
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, "sqlite:"+filepath.Join(t.TempDir(), "archive.db"))
}

func newWorldOn(t *testing.T, database string) *world {
	t.Helper()
	store, err := archive.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	kept, err := blobs.Open(t.Context(), "file:"+filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	w := &world{T: t, store: store, blobs: kept, checks: newChecker()}
	handler, err := New(Options{Store: store, Blobs: kept, Config: serverAccount(t)})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewUnstartedServer(handler)
	SetLimits(w.server.Config)
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	return w
}

func pack(text string) []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write([]byte(text))
	_ = writer.Close()
	return packed.Bytes()
}

var begin = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// run is a finished run of the Test shop with one attempt, to be changed and kept.
func (w *world) run(namespace, name string) archive.RunState {
	run := archive.Run{
		UID: string(uuid.NewUUID()), Namespace: namespace, Name: name, Test: "shop", Series: "shop", Labels: map[string]string{"team": "till"},
		Phase: "Finished", Verdict: "Failed", Reason: "CasesFailed", Message: "1 case failed", ResourceVersion: "7",
		Created: begin, Started: begin.Add(time.Second), Finished: begin.Add(time.Minute), Counts: archive.Counts{Passed: 1, Failed: 1},
	}
	attempt := archive.Attempt{
		UID: run.UID, Number: 1, Job: name + "-1", Pod: name + "-1-x", Verdict: "Failed", Created: run.Created, Started: run.Started, Finished: run.Finished,
	}
	object := fmt.Sprintf(`{"apiVersion":"testrun.dev/v1alpha1","kind":"TestRun","metadata":{"name":%q,"namespace":%q,"uid":%q}}`, name, namespace, run.UID)
	return archive.RunState{Run: run, Attempts: []archive.Attempt{attempt}, Object: pack(object)}
}

func (w *world) keep(states ...archive.RunState) {
	w.Helper()
	if err := w.store.Apply(w.Context(), archive.Batch{Runs: states}); err != nil {
		w.Fatal(err)
	}
}

func owner(run archive.Run) archive.Owner {
	return archive.Owner{UID: run.UID, Namespace: run.Namespace, Name: run.Name, Test: run.Test, Series: run.Series, Created: run.Created, Attempt: 1}
}

var output = push.Stream{Kind: push.Output}

// keepChunk keeps a part of a stream of the first attempt.
func (w *world) keepChunk(run archive.Run, stream push.Stream, offset int64, text string, cases ...archive.CaseLine) {
	w.Helper()
	key := fmt.Sprintf("%s/%s/%d-%s", run.UID, stream.Kind, offset, hash([]byte(stream.Path+text)))
	blob := pack(text)
	if err := w.blobs.Put(w.Context(), key, blob); err != nil {
		w.Fatal(err)
	}
	chunk := archive.NewChunk{
		Owner: owner(run), Stream: stream, Source: archive.FromRunner, Data: []byte(text), Cases: cases,
		Chunk: archive.Chunk{Offset: offset, Length: int64(len(text)), Key: key, Size: int64(len(blob))},
	}
	if _, err := w.store.AddChunk(w.Context(), chunk); err != nil {
		w.Fatal(err)
	}
}

// keepCases keeps cases of the first attempt, as they are pushed.
func (w *world) keepCases(run archive.Run, cases ...push.Case) {
	w.Helper()
	var text strings.Builder
	var lines []archive.CaseLine
	for _, c := range cases {
		line, _ := json.Marshal(c)
		lines = append(lines, archive.CaseLine{Case: c, Offset: int64(text.Len())})
		text.Write(append(line, '\n'))
	}
	w.keepChunk(run, push.Stream{Kind: push.Cases}, 0, text.String(), lines...)
	w.end(run, push.Stream{Kind: push.Cases}, text.String())
}

// end says what a stream of the first attempt should be.
func (w *world) end(run archive.Run, stream push.Stream, text string, gaps ...push.Gap) {
	w.Helper()
	end := push.End{Streams: []push.StreamEnd{{
		Kind: stream.Kind, Path: stream.Path, Length: int64(len(text)), SHA256: hash([]byte(text)), Gaps: gaps,
	}}}
	if _, err := w.store.SetEnd(w.Context(), owner(run), end); err != nil {
		w.Fatal(err)
	}
}

// full keeps a run with output, two cases and an artifact.
func (w *world) full(namespace, name string) archive.Run {
	w.Helper()
	state := w.run(namespace, name)
	w.keep(state)
	w.keepChunk(state.Run, output, 0, "ok 1\nnot ok 2\n")
	w.end(state.Run, output, "ok 1\nnot ok 2\n")
	w.keepCases(state.Run,
		push.Case{Number: 1, Suite: "till.t", Name: "adds", Outcome: results.Passed, Microseconds: 1500},
		push.Case{Number: 2, Suite: "till.t", Name: "subtracts", Outcome: results.Failed, Message: "got 3"})
	file := push.Stream{Kind: push.Artifact, Path: "report/index.html"}
	w.keepChunk(state.Run, file, 0, "<script>alert(1)</script>")
	w.end(state.Run, file, "<script>alert(1)</script>")
	return state.Run
}

// response is an answer, read to its end.
type response struct {
	*http.Response
	body []byte
}

// get asks for a path, with a token if it is not empty, and with headers as "Name: value".
func (w *world) get(token, path string, headers ...string) response {
	w.Helper()
	return w.do(http.MethodGet, token, path, "", headers...)
}

func (w *world) do(method, token, path, body string, headers ...string) response {
	w.Helper()
	request := w.request(method, token, path, body, headers...)
	answer, err := w.server.Client().Do(request)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	got := response{answer, text}
	if problem := w.checks.check(request, got); problem != "" {
		w.Errorf("%s %s answers what the OpenAPI document does not say: %s\n%d %s", method, path, problem, got.StatusCode, text)
	}
	return got
}

func (w *world) request(method, token, path, body string, headers ...string) *http.Request {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	return request
}

// read reads the JSON of an answer that is to be 200.
func read[T any](w *world, token, path string) T {
	w.Helper()
	var value T
	got := w.get(token, path)
	if got.StatusCode != http.StatusOK {
		w.Fatalf("GET %s answers %d %s", path, got.StatusCode, got.body)
	}
	if err := json.Unmarshal(got.body, &value); err != nil {
		w.Fatal(err)
	}
	return value
}

func namespaces(t *testing.T, n int) []string {
	t.Helper()
	var names []string
	for range n {
		names = append(names, apiserver.Namespace(t))
	}
	return names
}
