package queueing

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// The test holds the lock that reconciles need. A look that takes this lock would never return.
func TestWhoLooksWaitsForNoLock(t *testing.T) {
	s := queues(1)
	s.Report(entry("a", admission.Waiting))
	s.Report(entry("b", admission.Waiting))
	registry := prometheus.NewRegistry()
	registry.MustRegister(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		for _, path := range []string{"/queues", "/queues/default", "/queues/default/ns/b"} {
			s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		}
		s.StatusOf(v1alpha1.DefaultQueue)
		_, _ = registry.Gather()
	}()
	select {
	case <-looked:
	case <-time.After(10 * time.Second):
		t.Error("somebody who looks waits for the lock")
	}
}

func TestTheReplicaIsLikeTheEngine(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		clock := clocktesting.NewFakeClock(t0)
		s := New(clock, 2)
		for i := range 200 {
			if i == 20 {
				s.Open()
			}
			clock.Step(time.Duration(random.IntN(3)) * time.Second)
			run := in(fmt.Sprint("ns", random.IntN(3)), entry(fmt.Sprint(random.IntN(40)), admission.Waiting))
			run.Queue = []string{v1alpha1.DefaultQueue, "shared", "none"}[random.IntN(3)]
			run.Concurrency = admission.Concurrency{Key: []string{"", "key"}[random.IntN(2)], Limit: 1}
			switch random.IntN(8) {
			case 0:
				s.Gone(run.UID)
			case 1:
				s.SetQueue("shared", &v1alpha1.TestQueueSpec{MaxRunning: int32(random.IntN(3)), Namespaces: []string{"ns1"}[:random.IntN(2)]})
			case 2:
				s.Claim("claim/"+run.UID, run)
			case 3:
				s.LetGo("claim/" + run.UID)
			case 4:
				s.Ends(run.UID, nil, random.IntN(2) == 0)
			default:
				s.Report(run)
			}
		}
		want := seenOf(s.engine.Engine)
		s.replica.look(func(e *admission.Engine) {
			if got := seenOf(e); !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: the replica is %v, want %v", seed, got, want)
			}
		})
	}
}

// seenOf is everything that an engine shows.
func seenOf(e *admission.Engine) map[string]any {
	seen := map[string]any{}
	for _, name := range append(e.Queues(), "none") {
		seen["status of "+name], _ = e.Status(name)
		seen["order of "+name] = e.Order(name)
	}
	for i := range 40 {
		why, _ := e.Why(types.UID(fmt.Sprint(i)))
		seen[fmt.Sprint("why ", i)] = why
	}
	return seen
}

// wokenQueues remembers which TestQueues were woken.
type wokenQueues struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	names []string
}

func (w *wokenQueues) AddAfter(request reconcile.Request, _ time.Duration) {
	w.names = append(w.names, request.Name)
}

func TestAReportWakesOnlyTheQueuesThatChanged(t *testing.T) {
	s := queues(0)
	s.SetQueue("one", &v1alpha1.TestQueueSpec{MaxRunning: 1})
	s.SetQueue("two", &v1alpha1.TestQueueSpec{MaxRunning: 1})
	woken := &wokenQueues{}
	if err := s.QueuesSource(t.Context(), woken); err != nil {
		t.Fatal(err)
	}
	report := func(name, queue string, state admission.State, want ...string) {
		t.Helper()
		woken.names = nil
		run := entry(name, state)
		run.Queue = queue
		s.Report(run)
		if fmt.Sprint(woken.names) != fmt.Sprint(want) {
			t.Errorf("%s wakes the queues %v, want %v", name, woken.names, want)
		}
	}
	report("a", "one", admission.Waiting, "one")
	report("a", "one", admission.Running) // its start is known
	report("b", "two", admission.Waiting, "two")
	report("c", "two", admission.Waiting, "two")
	report("c", "two", admission.Waiting)
	report("d", v1alpha1.DefaultQueue, admission.Waiting) // it has no object
}
