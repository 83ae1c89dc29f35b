package queueing

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// QueueView is a queue as the handler shows it.
type QueueView struct {
	Name      string `json:"name"`
	Suspended bool   `json:"suspended"`
	Running   int    `json:"running"`
	Pending   int    `json:"pending"`
	// Delayed are the runs whose runAfter has not come. They are not pending.
	Delayed int        `json:"delayed"`
	Oldest  *time.Time `json:"oldestPending,omitempty"`
	// Next are the runs that wait, in the order of their positions. At most mostShown are shown.
	Next []RunView `json:"next,omitempty"`
}

// RunView is a run that waits, as the handler shows it.
type RunView struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Position is 1 for the run that is next; 0 for one that is not in line yet.
	Position int    `json:"position"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

// mostShown is how many waiting runs of a queue are shown.
const mostShown = 100

// Handler shows the queues as they are now: /queues, /queues/QUEUE and /queues/QUEUE/NAMESPACE/RUN.
func (q *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /queues", func(w http.ResponseWriter, _ *http.Request) { answer(w, q.views(), true) })
	mux.HandleFunc("GET /queues/{queue}", func(w http.ResponseWriter, r *http.Request) {
		view, found := q.view(r.PathValue("queue"))
		answer(w, view, found)
	})
	mux.HandleFunc("GET /queues/{queue}/{namespace}/{run}", func(w http.ResponseWriter, r *http.Request) {
		view, found := q.runView(r.PathValue("queue"), r.PathValue("namespace"), r.PathValue("run"))
		answer(w, view, found)
	})
	return mux
}

func answer(w http.ResponseWriter, view any, found bool) {
	w.Header().Set("Content-Type", "application/json")
	if !found {
		w.WriteHeader(http.StatusNotFound)
		view = map[string]string{"error": "no such queue, or no run of that name waits in it"}
	}
	_ = json.NewEncoder(w).Encode(view) // whoever has gone needs no answer
}

func (q *Service) views() []QueueView {
	q.mu.Lock()
	defer q.mu.Unlock()
	var views []QueueView
	for _, name := range q.names() {
		views = append(views, q.glance(name))
	}
	return views
}

// names are those of the queues that exist, sorted. The caller holds mu, as for all below.
func (q *Service) names() []string {
	names := slices.Collect(maps.Keys(q.settings))
	if !slices.Contains(names, v1alpha1.DefaultQueue) {
		names = append(names, v1alpha1.DefaultQueue)
	}
	slices.Sort(names)
	return names
}

// glance is a queue without its runs.
func (q *Service) glance(name string) QueueView {
	status, _ := q.engine.Status(name)
	view := QueueView{Name: name, Suspended: status.Suspended, Running: status.Running, Pending: status.Waiting, Delayed: status.Delayed}
	if !status.Oldest.IsZero() {
		view.Oldest = &status.Oldest
	}
	return view
}

func (q *Service) view(name string) (QueueView, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.names(), name) {
		return QueueView{}, false
	}
	view := q.glance(name)
	for i, run := range q.engine.Order(name) {
		if i == mostShown {
			break
		}
		view.Next = append(view.Next, q.show(q.waiting[run.UID], i+1))
	}
	return view, true
}

func (q *Service) show(run admission.Run, position int) RunView {
	why := q.whyWaits(run)
	return RunView{Namespace: run.Namespace, Name: run.Name, Position: position, Reason: why.Reason, Message: why.Message}
}

// runView shows a run that waits. One whose time has not come, or whose queue does not exist, has no position.
func (q *Service) runView(queue, namespace, name string) (RunView, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, run := range q.waiting {
		if run.Queue == queue && run.Namespace == namespace && run.Name == name {
			return q.show(run, 1+slices.Index(q.engine.Order(queue), run.Key)), true
		}
	}
	return RunView{}, false
}

// StatusOf is the status of the TestQueue of that name.
func (q *Service) StatusOf(name string) v1alpha1.TestQueueStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen, _ := q.engine.Status(name)
	status := v1alpha1.TestQueueStatus{Running: ptr.To(int32(seen.Running)), Pending: ptr.To(int32(seen.Waiting))}
	if !seen.Oldest.IsZero() {
		status.OldestPending = ptr.To(metav1.NewTime(seen.Oldest).Rfc3339Copy())
	}
	return status
}
