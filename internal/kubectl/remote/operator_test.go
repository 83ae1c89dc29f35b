package remote

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// podWith is a pod of the operator that knows these paths.
func podWith(t *testing.T, paths map[string]string) *caller {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := paths[r.URL.Path]
		if !known {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	call, err := newCaller(base, "token", Trust{Anybody: true})
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// Whoever may not see which pod leads asks all: only one of them knows of any run.
func TestThePodThatKnowsOfARunIsBelieved(t *testing.T) {
	follower := podWith(t, map[string]string{"/queues": "null"})
	leader := podWith(t, map[string]string{
		"/queues": `[{"name":"browsers","pending":2}]`, "/queues/browsers": `{"name":"browsers","pending":2}`,
		"/queues/browsers/shop/first": `{"name":"first","position":2}`,
	})
	for name, operator := range map[string]*Operator{
		"the leader first": {[]*caller{leader, follower}}, "the leader last": {[]*caller{follower, leader}},
	} {
		t.Run(name, func(t *testing.T) {
			if run, err := operator.Run(t.Context(), "browsers", "shop", "first"); err != nil || run == nil || run.Position != 2 {
				t.Errorf("the run waits like %+v: %v", run, err)
			}
			if queue, err := operator.Queue(t.Context(), "browsers"); err != nil || queue == nil || queue.Pending != 2 {
				t.Errorf("the queue is %+v: %v", queue, err)
			}
			if queues, err := operator.Queues(t.Context()); err != nil || len(queues) != 1 {
				t.Errorf("the queues are %+v: %v", queues, err)
			}
			if run, err := operator.Run(t.Context(), "browsers", "shop", "other"); err != nil || run != nil {
				t.Errorf("a run of which nobody knows waits like %+v: %v", run, err)
			}
		})
	}
}
