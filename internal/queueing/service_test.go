package queueing

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/queueview"
)

var t0 = time.Date(2026, time.January, 31, 10, 0, 0, 0, time.UTC)

func queues(limit int) *Service {
	q := New(clocktesting.NewFakeClock(t0.Add(time.Minute)), limit)
	q.Open()
	return q
}

func entry(name string, state admission.State) admission.Run {
	return admission.Run{
		Key: admission.Key{Namespace: "ns", Name: name, UID: types.UID(name)}, Queue: v1alpha1.DefaultQueue, Created: t0, State: state,
	}
}

func TestNobodyStartsBeforeTheQueuesAreOpen(t *testing.T) {
	q := New(clocktesting.NewFakeClock(t0), 0)
	if turn := q.Report(entry("a", admission.Waiting)); turn.Action != "" || turn.Wait.Reason != v1alpha1.ReasonQueued {
		t.Errorf("its turn is %+v", turn)
	}
	q.Open()
	if turn := q.Report(entry("a", admission.Waiting)); turn.Action != admission.Start {
		t.Errorf("once they are open its turn is %+v", turn)
	}
}

func TestTheLimitOfTheDefaultQueueHoldsUntilAnObjectSaysOtherwise(t *testing.T) {
	q := queues(1)
	q.Report(entry("a", admission.Waiting))
	if turn := q.Report(entry("b", admission.Waiting)); turn.Action != "" {
		t.Errorf("with a limit of 1 its turn is %+v", turn)
	}
	q.SetQueue(v1alpha1.DefaultQueue, &v1alpha1.TestQueueSpec{MaxRunning: 2})
	if turn := q.Report(entry("b", admission.Waiting)); turn.Action != admission.Start {
		t.Errorf("with a limit of 2 its turn is %+v", turn)
	}
	q.SetQueue(v1alpha1.DefaultQueue, nil)
	if turn := q.Report(entry("c", admission.Waiting)); turn.Action != "" {
		t.Errorf("without the object its turn is %+v", turn)
	}
}

// A cache that is behind still shows a run that is gone.
func TestARunThatIsGoneDoesNotComeBack(t *testing.T) {
	q := queues(1)
	q.Report(entry("a", admission.Running))
	q.Gone("a")
	q.Report(entry("a", admission.Running))
	if turn := q.Report(entry("b", admission.Waiting)); turn.Action != admission.Start {
		t.Errorf("the turn of the next one is %+v", turn)
	}
}

func TestTheHandlerShowsWhoIsNext(t *testing.T) {
	q := queues(1)
	for _, name := range []string{"a", "b", "c"} {
		q.Report(entry(name, admission.Waiting))
	}
	get := func(path string) (status int, body string) {
		answer := httptest.NewRecorder()
		q.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		return answer.Code, answer.Body.String()
	}
	var view queueview.Queue
	_, body := get("/queues/default")
	if err := json.Unmarshal([]byte(body), &view); err != nil || view.Running != 1 || view.Pending != 2 || len(view.Next) != 2 || view.Next[0].Name != "b" || view.Next[1].Position != 2 {
		t.Errorf("/queues/default is %s (%v)", body, err)
	}
	if status, body := get("/queues/default/ns/c"); status != http.StatusOK || !strings.Contains(body, `"position":2`) {
		t.Errorf("the run is %d %s", status, body)
	}
	for _, path := range []string{"/queues/none", "/queues/default/ns/a"} {
		if status, _ := get(path); status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, status)
		}
	}
	if _, body := get("/queues"); !strings.Contains(body, `"name":"default"`) {
		t.Errorf("/queues is %s", body)
	}
}

func TestTheMetricsShowTheQueuesAsTheyAre(t *testing.T) {
	q := queues(1)
	q.Report(entry("a", admission.Waiting))
	q.Report(entry("b", admission.Waiting))
	registry := prometheus.NewRegistry()
	registry.MustRegister(q)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
	}
	want := map[string]float64{"testrun_queue_delayed": 0, "testrun_queue_running": 1, "testrun_queue_pending": 1, "testrun_queue_oldest_pending_seconds": 60}
	if !maps.Equal(got, want) {
		t.Errorf("they are %v, want %v", got, want)
	}
}
