package web

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// outputs keeps a run whose output is whole, in three chunks, and one whose output has a gap.
func outputs(w *world, namespace string) (whole, gap archive.Run) {
	w.Helper()
	one, two := w.run(namespace, "whole"), w.run(namespace, "gap")
	w.keep(one, two)
	w.keepChunk(one.Run, output, 0, "abcde")
	w.keepChunk(one.Run, output, 5, "fghij")
	w.keepChunk(one.Run, output, 8, "ijklm") // chunks may overlap
	w.end(one.Run, output, "abcdefghijklm")
	w.keepChunk(two.Run, output, 0, "abcde")
	w.keepChunk(two.Run, output, 10, "klm")
	w.end(two.Run, output, "abcdefghijklmnop", push.Gap{Offset: 5, Length: 5}, push.Gap{Offset: 13, Length: 3})
	return one.Run, two.Run
}

func TestAnyPartOfTheOutputCanBeAskedFor(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	whole, gap := outputs(w, namespace)

	for _, c := range []struct {
		name         string
		run          archive.Run
		query, asked string
		status       int
		body, answer string // answer is the Content-Range
		next         string
	}{
		{"all", whole, "", "", 200, "abcdefghijklm", "", "13"},
		{"from an offset", whole, "offset=7", "", 200, "hijklm", "", "13"},
		{"across chunks", whole, "offset=3&limit=8", "", 200, "defghijk", "", "11"},
		{"at most", whole, "limit=2", "", 200, "ab", "", "2"},
		{"nothing, at the end", whole, "offset=13", "", 200, "", "", "13"},
		{"nothing, beyond the end", whole, "offset=99&limit=5", "", 200, "", "", "99"},
		{"far beyond the end", whole, "offset=1125899906842624&limit=1125899906842624", "", 200, "", "", "1125899906842624"},
		{"the first byte", whole, "", "bytes=0-0", 206, "a", "bytes 0-0/13", "1"},
		{"a range across chunks", whole, "", "bytes=4-8", 206, "efghi", "bytes 4-8/13", "9"},
		{"a range to the end", whole, "", "bytes=11-", 206, "lm", "bytes 11-12/13", "13"},
		{"a range that ends beyond the end", whole, "", "bytes=11-99", 206, "lm", "bytes 11-12/13", "13"},
		{"the last bytes", whole, "", "bytes=-3", 206, "klm", "bytes 10-12/13", "13"},
		{"more last bytes than there are", whole, "", "bytes=-99", 206, "abcdefghijklm", "bytes 0-12/13", "13"},
		{"no last bytes", whole, "", "bytes=-0", 416, "", "bytes */13", ""},
		{"a range beyond the end", whole, "", "bytes=13-", 416, "", "bytes */13", ""},
		{"two ranges, which is ignored", whole, "", "bytes=0-1,3-4", 200, "abcdefghijklm", "", "13"},
		{"a range the wrong way round, which is ignored", whole, "", "bytes=4-2", 200, "abcdefghijklm", "", "13"},
		{"no range, which is ignored", whole, "", "bytes=a-", 200, "abcdefghijklm", "", "13"},
		{"a sign, which is ignored", whole, "", "bytes=+1-2", 200, "abcdefghijklm", "", "13"},
		{"a number that is too large, which is ignored", whole, "", "bytes=99999999999999999999-", 200, "abcdefghijklm", "", "13"},
		{"other units, which are ignored", whole, "", "lines=1-2", 200, "abcdefghijklm", "", "13"},
		{"a range and an offset, which counts", whole, "offset=12", "bytes=0-0", 200, "m", "", "13"},

		{"all, without what is missing", gap, "", "", 200, "abcdeklm", "", "13"},
		{"all, with what is missing marked", gap, "gaps=mark", "", 200, "abcde\n[testrun: 5 bytes are missing here]\nklm", "", "13"},
		{"from within a gap, marked", gap, "gaps=mark&offset=7&limit=4", "", 200, "\n[testrun: 3 bytes are missing here]\nk", "", "11"},
		{"nothing but a gap, marked", gap, "gaps=mark&offset=6&limit=2", "", 200, "\n[testrun: 2 bytes are missing here]\n", "", "8"},
		{"a range up to a gap", gap, "", "bytes=3-11", 206, "de", "bytes 3-4/16", "5"},
		{"a range from within a gap", gap, "", "bytes=7-11", 206, "kl", "bytes 10-11/16", "12"},
		{"a range within a gap", gap, "", "bytes=6-8", 416, "", "bytes */16", ""},
		{"a range in the missing end", gap, "", "bytes=14-15", 416, "", "bytes */16", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.T = t
			got := w.get(token, "/api/v1/runs/"+c.run.UID+"/output?"+c.query, "Range: "+c.asked)
			if got.StatusCode != c.status || c.status < 300 && string(got.body) != c.body {
				t.Errorf("the answer is %d %q, not %d %q", got.StatusCode, got.body, c.status, c.body)
			}
			if got.Header.Get("Content-Range") != c.answer || got.Header.Get("TestRun-Next-Offset") != c.next {
				t.Errorf("the range is %q, not %q, and goes on at %q, not %q", got.Header.Get("Content-Range"), c.answer, got.Header.Get("TestRun-Next-Offset"), c.next)
			}
			if c.status < 300 {
				w.expectTextOf(got, c.run.Name)
			}
		})
	}
}

// expectTextOf sees that an answer says what is kept, and is nothing that a browser runs.
func (w *world) expectTextOf(got response, name string) {
	w.Helper()
	completeness, gaps := "complete", ""
	if name == "gap" {
		completeness, gaps = "partial", "5-9, 13-15"
	}
	for header, want := range map[string]string{
		"TestRun-Completeness": completeness, "TestRun-Gaps": gaps, "TestRun-Attempt": "1", "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/plain; charset=utf-8", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
	} {
		if got.Header.Get(header) != want {
			w.Errorf("%s is %q, not %q", header, got.Header.Get(header), want)
		}
	}
}

func TestARangeHoldsOnlyOfWhatWasSeenBefore(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	whole, gap := outputs(w, namespace)
	path := "/api/v1/runs/" + whole.UID + "/output"
	etag := w.get(token, path).Header.Get("ETag")
	if got := w.get(token, path, "Range: bytes=1-2", "If-Range: "+etag); string(got.body) != "bc" {
		t.Errorf("with the ETag %s, the range is %d %q", etag, got.StatusCode, got.body)
	}
	if got := w.get(token, path, "Range: bytes=1-2", `If-Range: "other"`); got.StatusCode != http.StatusOK {
		t.Errorf("with another ETag, the range is %d %q", got.StatusCode, got.body)
	}
	if got := w.get(token, "/api/v1/runs/"+gap.UID+"/output"); got.Header.Get("ETag") != "" {
		t.Errorf("output that may change has the ETag %s", got.Header.Get("ETag"))
	}
}

func TestHeadTellsHowMuchThereIs(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	whole, _ := outputs(w, namespace)
	got := w.do(http.MethodHead, viewer(t, namespace), "/api/v1/runs/"+whole.UID+"/output", "")
	if got.StatusCode != http.StatusOK || got.ContentLength != 13 || len(got.body) != 0 {
		t.Errorf("HEAD answers %d, %d bytes, %q", got.StatusCode, got.ContentLength, got.body)
	}
}

func TestOutputThatIsNotThereIsExplained(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	expired, none, pending, running := w.run(namespace, "expired"), w.run(namespace, "none"), w.run(namespace, "pending"), w.run(namespace, "running")
	pending.Attempts, pending.Run.Phase, pending.Run.Finished = nil, "Pending", time.Time{}
	running.Run.Phase, running.Run.Finished, running.Attempts[0].Finished = "InProgress", time.Time{}, time.Time{}
	expired.Run.Finished = begin.Add(time.Minute)
	w.keep(expired, none, pending, running)
	w.keepChunk(expired.Run, output, 0, "abc")
	w.end(expired.Run, output, "abc")
	for more := true; more; {
		var err error
		if _, more, err = w.store.Expire(t.Context(), begin.Add(1000*time.Hour), archive.Policy{PassedOutput: time.Hour, Output: time.Hour}, 100); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		run          archive.Run
		status       int
		says, stream string
	}{
		{expired.Run, http.StatusGone, "deleted by its retention", "expired"},
		{none.Run, http.StatusNotFound, "Nothing of this is kept of attempt 1", "none"},
		{pending.Run, http.StatusNotFound, "has had no attempt yet", ""},
		{running.Run, http.StatusOK, "", "growing"},
	} {
		got := w.get(token, "/api/v1/runs/"+c.run.UID+"/output")
		if got.StatusCode != c.status || !strings.Contains(string(got.body), c.says) {
			t.Errorf("the output of the run %s is %d %s", c.run.Name, got.StatusCode, got.body)
		}
		run := read[RunDetails](w, token, "/api/v1/namespaces/"+namespace+"/runs/"+c.run.Name)
		if c.stream != "" && string(run.Attempts[0].Streams.Output.Completeness) != c.stream {
			t.Errorf("of the output of the run %s, the run says %+v", c.run.Name, run.Attempts[0].Streams.Output)
		}
	}
}

func TestAnAnswerThatCannotBeEndedIsNotTakenForTheWhole(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "broken")
	w.keep(state)
	piece := strings.Repeat("a", 1<<20)
	w.keepChunk(state.Run, output, 0, piece)
	w.keepChunk(state.Run, output, 2<<20, piece) // behind a gap, so that the answer has no length that it would fall short of
	chunks, err := w.store.Chunks(t.Context(), state.Run.UID, 1, output, 2<<20, 1)
	if err != nil || len(chunks) != 1 {
		t.Fatal(chunks, err)
	}
	if err := w.blobs.Delete(t.Context(), chunks[0].Key); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/runs/" + state.Run.UID + "/output"
	answer, err := w.server.Client().Do(w.request(http.MethodGet, token, path, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if text, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("of output whose second half cannot be read, the client took %d bytes for all", len(text))
	}
	if got := w.get(token, path+"?offset=2097152"); got.StatusCode != http.StatusInternalServerError || got.Header.Get("ETag") != "" {
		t.Errorf("output that cannot be read is answered with %d %s", got.StatusCode, got.body)
	}
}

func TestOutputIsFollowedUntilTheAttemptEnds(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "running")
	finished := state.Run.Finished
	state.Run.Phase, state.Run.Verdict, state.Run.Finished = "InProgress", "", time.Time{}
	attempts := state.Attempts
	state.Attempts = nil
	w.keep(state)

	answer, err := w.server.Client().Do(w.request(http.MethodGet, token, "/api/v1/runs/"+state.Run.UID+"/output?follow=true&gaps=mark", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewReader(answer.Body)
	expectLine := func(want string) {
		t.Helper()
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			t.Fatalf("what follows is %q, %v, not %q", line, err, want)
		}
	}
	w.keepChunk(state.Run, output, 0, "ok 1\n")
	expectLine("ok 1\n")
	w.keepChunk(state.Run, output, 15, "ok 4\n") // what lies before it never comes
	expectLine("\n")
	expectLine("[testrun: 10 bytes are missing here]\n")
	expectLine("ok 4\n")

	w.keepChunk(state.Run, output, 20, "ok 5\n")
	state.Run.Phase, state.Run.Verdict, state.Run.Finished, state.Run.ResourceVersion = "Finished", "Passed", finished, "8"
	state.Attempts = attempts
	w.keep(state)
	expectLine("ok 5\n")
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("after the end comes %q, %v", rest, err)
	}
}

func TestWhoFollowsOutputWaitsForWhatComesLate(t *testing.T) {
	w := newWorld(t)
	state := w.run(apiserver.Namespace(t), "running")
	state.Run.Phase, state.Run.Verdict, state.Run.Finished, state.Attempts[0].Finished = "InProgress", "", time.Time{}, time.Time{}
	w.keep(state)
	s, f, answer := &server{store: w.store, blobs: w.blobs}, followed{mark: true}, httptest.NewRecorder()
	writer := newPatientWriter(answer)
	expect := func(when, want string) {
		t.Helper()
		live, err := s.look(t.Context(), state.Run.UID, &f, writer)
		if err != nil || !live || answer.Body.String() != want {
			t.Errorf("%s, the answer is %q, %v, %v, not %q", when, answer.Body, live, err, want)
		}
		answer.Body.Reset()
	}
	expect("before anything has come", "")
	w.keepChunk(state.Run, output, 5, "ok 2\n")
	expect("while the beginning is missing", "")
	w.keepChunk(state.Run, output, 0, "ok 1\n")
	expect("when it has come", "ok 1\nok 2\n")
	w.keepChunk(state.Run, output, 20, "ok 5\n")
	for range gapPatience {
		expect("while there is a gap", "")
	}
	expect("when the gap is waited for no longer", "\n[testrun: 10 bytes are missing here]\nok 5\n")
	expect("when nothing has come since", "")
}
