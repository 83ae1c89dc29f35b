package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// ears listen to events.
type ears struct {
	*testing.T
	lines *bufio.Reader
	close func()
}

// heard is an event.
type heard struct {
	name, id string
	Event
}

func (w *world) listen(token, path string, headers ...string) *ears {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	request := w.request(http.MethodGet, token, path, "", headers...).WithContext(ctx)
	answer, err := w.server.Client().Do(request) //nolint:bodyclose // when the test closes its ears
	if err != nil {
		w.Fatal(err)
	}
	if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || got != "text/event-stream" {
		w.Fatalf("GET %s answers %d with %s", path, answer.StatusCode, got)
	}
	e := &ears{w.T, bufio.NewReader(answer.Body), func() {
		stop()
		_ = answer.Body.Close()
	}}
	w.Cleanup(e.close)
	return e
}

// next is the next event; ok is false if the answer ends before one.
func (e *ears) next() (event heard, ok bool) {
	e.Helper()
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return heard{}, false
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			event.name = value
		case "id":
			event.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &event.Event); err != nil {
				e.Fatalf("the data is %q: %v", value, err)
			}
		case "":
			if event.name != "" {
				return event, true
			}
		}
	}
}

// expect sees that the next events are these, as "event" or "event name-of-the-run", and returns the last one.
func (e *ears) expect(want ...string) heard {
	e.Helper()
	var last heard
	for _, one := range want {
		var ok bool
		last, ok = e.next()
		if got := strings.TrimSpace(last.name + " " + last.Name); !ok || got != one || last.id == "" {
			e.Fatalf("the event is %q with the id %q, and not %q", got, last.id, one)
		}
	}
	return last
}

func eventsOf(namespace string) string { return "/api/v1/namespaces/" + namespace + "/events" }

func TestWhoListensHearsWhatChanges(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 2)
	token := viewer(t, names[0])
	w.full(names[0], "before")
	e := w.listen(token, eventsOf(names[0]))
	e.expect("reset")

	state := w.run(names[0], "smoke")
	state.Run.Phase, state.Run.Verdict, state.Run.Finished = "InProgress", "", state.Run.Deleted
	state.Attempts[0].Verdict, state.Attempts[0].Finished = "", state.Run.Deleted
	w.keep(w.run(names[1], "secret"), state)
	if got := e.expect("run smoke"); got.Phase != "InProgress" || got.Namespace != names[0] || got.UID != state.Run.UID || got.Progress != nil {
		t.Errorf("the run is %+v", got)
	}
	progress := archive.AttemptProgress{Owner: owner(state.Run), Progress: push.Progress{Done: 3, Failed: 1, Total: 9}}
	if err := w.store.SetProgress(t.Context(), []archive.AttemptProgress{progress}); err != nil {
		t.Fatal(err)
	}
	if got := e.expect("run smoke"); got.Progress == nil || *got.Progress != (Progress{3, 1, 9}) {
		t.Errorf("the progress is %+v", got.Progress)
	}
	state = w.run(names[0], "smoke")
	state.Run.UID, state.Run.ResourceVersion, state.Run.Deleted = e.expectUID(w), "8", begin
	w.keep(state)
	if got := e.expect("run smoke"); got.Verdict != "Failed" || got.Deleted == nil {
		t.Errorf("the run that is deleted is %+v", got)
	}
}

// expectUID is the UID of the only run "smoke".
func (e *ears) expectUID(w *world) string {
	e.Helper()
	runs, _, err := w.store.Runs(e.Context(), archive.Filter{}, archive.Page{})
	if err != nil {
		e.Fatal(err)
	}
	for _, run := range runs {
		if run.Name == "smoke" {
			return run.UID
		}
	}
	e.Fatal("there is no run smoke")
	return ""
}

func TestWhoComesBackHearsWhatHappenedMeanwhile(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	w.keep(w.run(namespace, "one"))
	e := w.listen(token, eventsOf(namespace))
	id := e.expect("reset").id
	e.close()
	w.keep(w.run(namespace, "two"))
	w.full(namespace, "three")
	for _, way := range []struct{ query, header string }{{"", "Last-Event-ID: " + id}, {"?after=" + id, "Accept: */*"}} {
		e = w.listen(token, eventsOf(namespace)+way.query, way.header)
		last := e.expect("run two", "run three").id
		e.close()
		e = w.listen(token, eventsOf(namespace), "Last-Event-ID: "+last)
		w.keep(w.run(namespace, "four"+last))
		e.expect("run four" + last)
		e.close()
	}
	for _, unknown := range []string{"999999999", "-5", "abc", "9223372036854775808", "' OR 1=1"} {
		e = w.listen(token, eventsOf(namespace), "Last-Event-ID: "+unknown)
		e.expect("reset")
		e.close()
	}
}

func TestWhoListensHearsOnlyWhatTheyAskFor(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 3)
	token := given(t, names[0], names[2], "two", rule("get", "testruns"))
	allow(t, names[1], names[2], "two", rule("get", "testruns"))
	for path, want := range map[string]string{
		eventsOf(names[0]):                                                     "a-failed a-passed a-other",
		eventsOf(names[0]) + "?series=other":                                   "a-other",
		eventsOf(names[0]) + "?verdict=Passed":                                 "a-passed",
		"/api/v1/events?namespace=" + names[1]:                                 "b-failed b-passed b-other",
		"/api/v1/events?verdict=Passed&namespace=" + names[0] + "," + names[1]: "a-passed b-passed",
	} {
		e := w.listen(token, path)
		e.expect("reset")
		for i, prefix := range []string{"a-", "b-", "c-"} {
			passed, other := w.run(names[i], prefix+"passed"), w.run(names[i], prefix+"other")
			passed.Run.Verdict, other.Run.Series = "Passed", "other"
			for _, state := range []archive.RunState{w.run(names[i], prefix+"failed"), passed, other} {
				w.keep(state)
			}
		}
		for name := range strings.SplitSeq(want, " ") {
			e.expect("run " + name)
		}
		e.close()
	}
}

func TestEventsAreForThoseWhoMaySeeTheRuns(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 2)
	w.full(names[0], "smoke")
	one := given(t, names[0], names[1], "one", rule("get", "testruns"))
	all := tokenOf(t, names[1], "all")
	allowEverywhere(t, names[1], "all", rule("get", "testruns"))
	for _, c := range []struct {
		name, token, path string
		status            int
	}{
		{"a namespace that one may not see", one, eventsOf(names[1]), http.StatusNotFound},
		{"a namespace that never was", one, eventsOf("never-was"), http.StatusNotFound},
		{"a namespace with a right to output only", given(t, names[0], names[1], "output", rule("get", "testruns/log")), eventsOf(names[0]), http.StatusNotFound},
		{"one's own and another one", one, "/api/v1/events?namespace=" + names[0] + "," + names[1], http.StatusNotFound},
		{"all, without the right to all", one, "/api/v1/events", http.StatusForbidden},
		{"a name that is none", all, "/api/v1/events?namespace=%00", http.StatusNotFound},
		{"too many namespaces", all, "/api/v1/events?namespace=" + strings.Repeat("a,", 201), http.StatusUnprocessableEntity},
		{"nobody", "", "/api/v1/events", http.StatusUnauthorized},
	} {
		if got := w.get(c.token, c.path); got.StatusCode != c.status || strings.Contains(string(got.body), "smoke") {
			t.Errorf("for %s the answer is %d %s", c.name, got.StatusCode, got.body)
		}
	}
	e := w.listen(all, "/api/v1/events")
	e.expect("reset")
	w.keep(w.run(names[0], "here"), w.run(names[1], "there"))
	seen := map[string]bool{}
	for range 2 {
		event, _ := e.next()
		seen[event.Name] = true
	}
	if !seen["here"] || !seen["there"] {
		t.Errorf("who may see all runs hears of %v", seen)
	}
}

func TestNobodyHearsMoreOnceTheRightIsTakenAway(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 2)
	token := given(t, names[0], names[1], "one", rule("get", "testruns"))
	e := w.listen(token, eventsOf(names[0]))
	e.expect("reset")
	if err := apiserver.Client.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: names[0], Name: "one"}}); err != nil {
		t.Fatal(err)
	}
	// What was allowed is believed for a while: it ends while there is something to hear.
	for n := 0; ; n++ {
		w.keep(w.run(names[0], fmt.Sprint("run-", n)))
		if _, ok := e.next(); !ok {
			break
		}
		if n > 500 { // there are at most four a second
			t.Fatal("who may not see runs any more still hears of them")
		}
	}
	if got := w.get(token, eventsOf(names[0])); got.StatusCode != http.StatusNotFound {
		t.Errorf("who comes back is answered %d %s", got.StatusCode, got.body)
	}
}

func TestTooManyListenersAreToldSo(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 2)
	token, other := viewer(t, names[0]), viewer(t, names[1])
	var all []*ears
	for range maxListenersOfUser {
		e := w.listen(token, eventsOf(names[0]))
		e.expect("reset")
		all = append(all, e)
	}
	got := w.get(token, eventsOf(names[0]))
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "Close some") {
		t.Errorf("one too many is answered %d %s", got.StatusCode, got.body)
	}
	read[RunList](w, token, "/api/v1/namespaces/"+names[0]+"/runs?limit=1")
	w.listen(other, eventsOf(names[1])).expect("reset")
	w.keep(w.run(names[0], "smoke"))
	for _, e := range all {
		e.expect("run smoke")
	}
	all[0].close()
	for got = w.head(token, eventsOf(names[0])); got.StatusCode != http.StatusOK; got = w.head(token, eventsOf(names[0])) {
		if got.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("when one has gone, the next is answered %d", got.StatusCode)
		}
	}
}

func (w *world) head(token, path string) response {
	w.Helper()
	return w.do(http.MethodHead, token, path, "")
}

// asking counts how often a store is asked where changes begin.
type asking struct {
	Store
	begun atomic.Int64
}

func (a *asking) LastChange(ctx context.Context) (int64, error) {
	a.begun.Add(1)
	return a.Store.LastChange(ctx)
}

// keepProgress makes a change of each of a thousand runs.
func (w *world) keepProgress(done int) {
	w.Helper()
	var all []archive.AttemptProgress
	for n := range 1000 {
		name := fmt.Sprint("run-", n)
		all = append(all, archive.AttemptProgress{
			Owner:    archive.Owner{UID: name, Namespace: "shop", Name: name, Created: begin, Attempt: 1},
			Progress: push.Progress{Done: int64(done)},
		})
	}
	if err := w.store.SetProgress(w.Context(), all); err != nil {
		w.Fatal(err)
	}
}

func TestListenersShareWhatTheStoreIsAsked(t *testing.T) {
	w := newWorld(t)
	store := &asking{Store: w.store}
	c := &changes{store: store}
	var leaving []func()
	for range 20 {
		leave, err := c.join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leaving = append(leaving, leave)
	}
	for _, leave := range leaving {
		leave()
		leave()
	}
	if got := store.begun.Load(); got != 1 || c.listening != 0 || c.ring != nil {
		t.Errorf("20 listeners have the store asked %d times, and leave %d of them", got, c.listening)
	}
}

func TestWhatIsRememberedHasABound(t *testing.T) {
	w := newWorld(t)
	w.keepProgress(1)
	c := &changes{store: w.store}
	leave, err := c.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	all, first, known, _ := c.after(0)
	if !known || len(all) != 1000 {
		t.Fatalf("of 1000 changes %d are remembered", len(all))
	}
	for done := 2; ; done++ {
		w.keepProgress(done)
		if err := c.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(c.ring) > 2*maxRing {
			t.Fatalf("%d changes are remembered", len(c.ring))
		}
		if _, _, known, _ = c.after(first); !known {
			break
		}
	}
	all, last, known, _ := c.after(c.from)
	if !known || len(all) < maxRing || last != all[len(all)-1].number {
		t.Errorf("%d changes are remembered, up to %d", len(all), last)
	}
	if got := newest(all); len(got) != 1000 || got[999] != all[len(all)-1] {
		t.Errorf("they are about %d runs", len(got))
	}
}

// stuck is a client that does not read.
type stuck struct {
	*httptest.ResponseRecorder
	reached, on chan struct{}
}

func (s stuck) Write(text []byte) (int, error) {
	select {
	case s.reached <- struct{}{}:
	default:
	}
	<-s.on
	return s.ResponseRecorder.Write(text)
}

func TestWhoReadsTooSlowlyIsDropped(t *testing.T) {
	w := newWorld(t)
	w.keepProgress(1)
	s := &server{store: w.store, changes: &changes{store: w.store}}
	leave, err := s.changes.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	client := stuck{httptest.NewRecorder(), make(chan struct{}, 1), make(chan struct{})}
	ended := make(chan error)
	go func() { ended <- s.tell(t.Context(), newPatientWriter(client), &listener{Listening: &Listening{}}) }()
	<-client.reached
	_, first, _, _ := s.changes.after(0)
	for done := 2; ; done++ {
		w.keepProgress(done)
		if _, _, known, _ := s.changes.after(first); !known {
			break
		}
	}
	close(client.on)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "forgotten") {
		t.Errorf("who reads nothing meanwhile is told %v", err)
	}
	if got := client.Body.String(); !strings.Contains(got, "retry: 2000") {
		t.Errorf("the client heard %s", got)
	}
}
