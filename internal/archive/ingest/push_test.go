package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/points"
)

var cases = push.Stream{Kind: push.Cases}

// permutations are all orders of the first n numbers.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), i, n-1))
		}
	}
	return all
}

func TestChunksComeInAnyOrderAndAgain(t *testing.T) {
	count := points.Of(t, "chunks come in another order, and again")
	onEachDatabase(t, func(t *testing.T) {
		t.Helper()
		pushInAnyOrder(t, count)
	})
}

func pushInAnyOrder(t *testing.T, count *points.Counter) {
	t.Helper()
	w := newWorld(t)
	const text = "first line\nsecond\n\nthe fourth line\nthe end"
	bounds := []int{0, 1, 10, 18, 35, len(text)}
	for i, order := range permutations(len(bounds) - 1) {
		if i%10 != 0 && i > 10 && !points.All() { // each one has a run and a pod
			continue
		}
		r := w.newPusher(fmt.Sprint("smoke", i))
		for j, part := range order {
			offset, chunk := int64(bounds[part]), text[bounds[part]:bounds[part+1]]
			w.expect(http.StatusNoContent)(r.chunk(output, offset, chunk))
			w.expect(http.StatusNoContent)(r.chunk(output, offset, chunk))
			if j == 2 {
				w.expect(http.StatusNoContent)(r.end(map[push.Stream]string{output: text}))
			}
		}
		w.expect(http.StatusNoContent)(r.end(map[push.Stream]string{output: text}))
		if got := r.kept(output); got != text {
			t.Errorf("pushed in the order %v, kept is %q", order, got)
		}
		if state := r.state(output); !state.Verified || state.Length != int64(len(text)) || state.Stored != int64(len(text)) {
			t.Errorf("pushed in the order %v, the state is %+v", order, state)
		}
		count.Tried(t)
	}
}

func TestNothingIsKeptTwice(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	for range 3 {
		w.expect(http.StatusNoContent)(r.chunk(output, 0, "some"))
		w.expect(http.StatusNoContent)(r.chunk(output, 4, " text"))
	}
	w.expectOnlyBlobsOf(output, r)
	if n := len(w.allBlobs()); n != 2 {
		t.Errorf("there are %d blobs", n)
	}
	if bytes, _ := w.metric("testrun_archive_pushed_bytes_total"); bytes != 9 {
		t.Errorf("%v bytes are counted", bytes)
	}
}

func TestManyChunksThatCameTooEarlyArePutTogetherByTheEnd(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	const chunk, count = "0123456789", 3 * advancePerChunk
	for i := count - 1; i >= 0; i-- {
		w.expect(http.StatusNoContent)(r.chunk(output, int64(i*len(chunk)), chunk))
	}
	text := strings.Repeat(chunk, count)
	w.expect(http.StatusNoContent)(r.end(map[push.Stream]string{output: text}))
	if state := r.state(output); !state.Verified {
		t.Errorf("the state is %+v", state)
	}
}

func TestWhatIsMissingOrAlteredIsSaid(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	file := push.Stream{Kind: push.Artifact, Path: "reports/a b.xml"}
	never := push.Stream{Kind: push.Artifact, Path: "never"}
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "some"))
	w.expect(http.StatusNoContent)(r.chunk(output, 6, "xt"))
	w.expect(http.StatusNoContent)(r.chunk(file, 0, "<a/>"))
	w.expect(http.StatusNoContent)(r.end(map[push.Stream]string{output: "some text", file: "<b/>", never: "x"}))
	if state := r.state(output); state.Verified || state.Altered || state.Length != 4 || state.Wanted != 9 ||
		fmt.Sprint(state.Gaps) != "[{4 2} {8 1}]" {
		t.Errorf("the state of the output is %+v", state)
	}
	if state := r.state(file); !state.Altered {
		t.Errorf("the state of the file is %+v", state)
	}
	if state := r.state(never); state.Wanted != 1 || state.Length != 0 {
		t.Errorf("the state of the file that never came is %+v", state)
	}
}

func TestCasesAreKeptAsTheyCome(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	first := `{"i":4,"n":"never was","o":"Failed"}` + "\n" + `{"i":4294967297,"n":"late","o":"Passed"}` + "\n" + `{"i":1,"n":"loads","s":"t/a.t","o":"Passed","us":1500}` + "\n" + `{"i":2,"n":"runs\u001b[31m\u0000","o":"Failed","m":"why"}` + "\n"
	second := `{"i":2,"n":"runs","o":"Passed","f":true,"new":{"field":1}}` + "\n" + `{"i":3,"n":"ends","o":"Skipped"}` + "\n" + `{"i":4,"o":""}` + "\n"
	w.expect(http.StatusNoContent)(r.chunk(cases, int64(len(first)), second))
	w.expect(http.StatusNoContent)(r.chunk(cases, 0, first))
	w.expect(http.StatusNoContent)(r.end(map[push.Stream]string{cases: first + second}))
	found, _, err := w.store.Cases(t.Context(), archive.CaseQuery{UID: r.attempt.UID, Attempt: 1})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, c := range found {
		said = append(said, fmt.Sprintf("%d %s %s %s %v", c.Number, c.Name, c.Outcome, c.Duration, c.Flaky))
	}
	if want := "1 loads Passed 1.5ms false|2 runs Passed 0s true|3 ends Skipped 0s false|1073741825 late Passed 0s false"; strings.Join(said, "|") != want {
		t.Errorf("kept are %q", said)
	}
	if state := r.state(cases); !state.Verified {
		t.Errorf("the state is %+v", state)
	}
}

func TestAChunkThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	text := strings.Repeat("some text ", 100)
	packed := blobs.Pack([]byte(text))
	good := `{"i":1,"n":"a","o":"Passed"}` + "\n"
	for name, c := range map[string]struct {
		stream push.Stream
		length int
		body   []byte
		want   int
		says   string
	}{
		"no gzip":                           {output, len(text), []byte(text), http.StatusBadRequest, "no gzip"},
		"too long":                          {output, len(text) - 1, packed, http.StatusBadRequest, "more than 999 bytes"},
		"too short":                         {output, len(text) + 1, packed, http.StatusBadRequest, "should have 1001"},
		"a member behind it":                {output, len(text), slices.Concat(packed, packed), http.StatusBadRequest, "follow the gzip member"},
		"bytes behind it":                   {output, len(text), slices.Concat(packed, []byte("x")), http.StatusBadRequest, "1 bytes follow"},
		"breaks off":                        {output, len(text), packed[:len(packed)-3], http.StatusBadRequest, "damaged"},
		"a bomb":                            {output, push.MaxChunk, blobs.Pack(make([]byte, 64<<20)), http.StatusBadRequest, "more than 1048576 bytes"},
		"a body that is too long":           {output, 10, make([]byte, 10+gzipRoom+1), http.StatusRequestEntityTooLarge, "more than"},
		"cases that do not end":             {cases, 0, []byte(`{"i":1,"o":"Passed"}`), http.StatusBadRequest, "the last one does not end"},
		"cases with bad JSON":               {cases, 0, []byte(good + good + "{\n"), http.StatusBadRequest, "line 3 of the chunk, at offset 58"},
		"cases with an empty line":          {cases, 0, []byte(good + "\n"), http.StatusBadRequest, "line 2 of the chunk"},
		"a case without a number":           {cases, 0, []byte(good + `{"o":"Passed"}` + "\n"), http.StatusBadRequest, "the number of the case is 0"},
		"a case with a great number":        {cases, 0, []byte(`{"i":1073741824,"o":"Passed"}` + "\n"), http.StatusBadRequest, "line 1 of the chunk"},
		"a case with a very great number":   {cases, 0, []byte(`{"i":5368709120,"o":"Passed"}` + "\n"), http.StatusBadRequest, "line 1 of the chunk"},
		"a case with another outcome":       {cases, 0, []byte(`{"i":1,"o":"Lost"}` + "\n"), http.StatusBadRequest, `the outcome is "Lost"`},
		"a case that ended before it began": {cases, 0, []byte(`{"i":1,"o":"Passed","us":-1}` + "\n"), http.StatusBadRequest, "took -1"},
		"a long line":                       {cases, 0, []byte(`{"i":1,"o":"Passed","m":"` + strings.Repeat("x", maxLine) + `"}` + "\n"), http.StatusBadRequest, "a line has less than"},
		"very many lines":                   {cases, 0, []byte(strings.Repeat(good, maxLines+1)), http.StatusBadRequest, "at most 5000 lines"},
		"a list":                            {cases, 0, []byte("[" + strings.Repeat("[", 60_000) + "\n"), http.StatusBadRequest, "line 1"},
	} {
		length, body := c.length, c.body
		if length == 0 {
			length, body = len(body), blobs.Pack(body)
		}
		code, message := r.put(push.ChunkPath(r.attempt, c.stream, 0, int64(length)), body)
		if code != c.want || !strings.Contains(message, c.says) {
			t.Errorf("%s: %d %q instead of %d %q", name, code, message, c.want, c.says)
		}
	}
	if all := w.allBlobs(); len(all) > 0 {
		t.Errorf("kept are %q", all)
	}
	if n, _ := w.metric("testrun_archive_pushes_refused_total"); n != 19 {
		t.Errorf("%v refusals are counted", n)
	}
}

func TestAnEndThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	stream := func(change func(*push.StreamEnd)) push.StreamEnd {
		end := push.StreamEnd{Kind: push.Output, Length: 10, SHA256: sha256Of("x")}
		change(&end)
		return end
	}
	many := make([]push.StreamEnd, push.MaxStreams+1)
	for i := range many {
		many[i] = stream(func(e *push.StreamEnd) { e.Kind, e.Path = push.Artifact, fmt.Sprint(i) })
	}
	for name, end := range map[string]push.End{
		"many streams":          {Streams: many},
		"a stream twice":        {Streams: []push.StreamEnd{stream(func(*push.StreamEnd) {}), stream(func(*push.StreamEnd) {})}},
		"an unknown stream":     {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.Kind = "other" })}},
		"a path that leads out": {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.Kind, e.Path = push.Artifact, "../x" })}},
		"a negative length":     {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.Length = -1 })}},
		"a great length":        {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.Length = maxLength + 1 })}},
		"no SHA-256":            {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.SHA256 = "" })}},
		"a short SHA-256":       {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.SHA256 = "00" })}},
		"a SHA-256 in capitals": {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.SHA256 = strings.ToUpper(e.SHA256) })}},
		"a gap behind the end":  {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.Gaps = []push.Gap{{Offset: 9, Length: 2}} })}},
		"a gap of nothing":      {Streams: []push.StreamEnd{stream(func(e *push.StreamEnd) { e.Gaps = []push.Gap{{Offset: 9}} })}},
	} {
		body, err := json.Marshal(end)
		if err != nil {
			t.Fatal(err)
		}
		if code, message := r.put(push.EndPath(r.attempt), body); code != http.StatusBadRequest {
			t.Errorf("%s: %d %q", name, code, message)
		}
	}
	for name, body := range map[string]string{"nothing": "", "text": "end", "two": "{}{}", "a list": "[]"} {
		if code, message := r.put(push.EndPath(r.attempt), []byte(body)); code != http.StatusBadRequest {
			t.Errorf("%s: %d %q", name, code, message)
		}
	}
	w.expect(http.StatusRequestEntityTooLarge)(r.put(push.EndPath(r.attempt), bytes.Repeat([]byte(" "), push.MaxMessage+1)))
	if attempts, err := w.store.Attempts(t.Context(), r.attempt.UID); err == nil && len(attempts) > 0 {
		t.Errorf("kept are %+v", attempts)
	}
}

func TestTextsOfAnEndAreBounded(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	var end push.End
	for i := range push.MaxMissing + 10 {
		end.Missing = append(end.Missing, fmt.Sprint(i)+strings.Repeat("é\x00", 1000))
	}
	body, err := json.Marshal(end)
	if err != nil {
		t.Fatal(err)
	}
	w.expect(http.StatusNoContent)(r.put(push.EndPath(r.attempt), body))
	attempts, err := w.store.Attempts(t.Context(), r.attempt.UID)
	if err != nil || len(attempts) != 1 || !attempts[0].Ended || len(attempts[0].Missing) != push.MaxMissing {
		t.Fatalf("kept are %+v, %v", attempts, err)
	}
	for _, text := range attempts[0].Missing {
		if results.Size(text) > maxMissing || strings.Contains(text, "\x00") {
			t.Fatalf("a text has %d bytes: %q", len(text), text)
		}
	}
}

func TestARequestThatIsNoPushIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	for path, want := range map[string]int{
		"/": http.StatusBadRequest, push.Root: http.StatusBadRequest, push.Root + "a/b/c/1/other": http.StatusBadRequest,
		push.Root + "a/../c/1/end": http.StatusBadRequest, push.ChunkPath(r.attempt, output, 0, push.MaxChunk+1): http.StatusBadRequest,
	} {
		w.expect(want)(r.put(path, nil))
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		request, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+push.EndPath(r.attempt), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := w.server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, answer.StatusCode)
		}
	}
}

func TestAConnectionThatDiesKeepsNothing(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	text := strings.Repeat("a line of the output\n", 5000)
	body := blobs.Pack([]byte(text))
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		push.ChunkPath(r.attempt, output, 0, int64(len(text))), r.token, len(body))
	whole := head + string(body)
	count := points.Of(t, "the connection of a push dies on its way to the server")
	steps := 40
	if points.All() {
		steps = 400
	}
	for cut := 0; cut < len(whole); cut += 1 + len(whole)/steps {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, whole[:cut]); err != nil {
			t.Fatal(err)
		}
		// The server hangs up when it has seen the end.
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(connection)
		if err != nil || strings.Contains(string(answer), " 204 ") {
			t.Errorf("after %d bytes the answer is %q, %v", cut, answer, err)
		}
		_ = connection.Close()
		count.Tried(t)
	}
	if all := w.allBlobs(); len(all) > 0 {
		t.Errorf("kept are %q", all)
	}
	w.expect(http.StatusNoContent)(r.chunk(output, 0, text))
	if r.kept(output) != text {
		t.Error("kept is something else")
	}
}

// metric adds up a metric's values. series is how many there are.
func (w *world) metric(name string) (sum float64, series int) {
	w.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, metric := range family.GetMetric() {
				sum += metric.GetCounter().GetValue()
				series++
			}
		}
	}
	return sum, series
}
