package queueing

import (
	"encoding/json"
	"net/http"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/queueview"
)

// mostShown is how many waiting runs of a queue are shown.
const mostShown = 100

// Handler shows the queues as they are now: /queues, /queues/QUEUE and /queues/QUEUE/NAMESPACE/RUN.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /queues", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.views(), true) })
	mux.HandleFunc("GET /queues/{queue}", func(w http.ResponseWriter, r *http.Request) {
		view, found := s.view(r.PathValue("queue"))
		answer(w, view, found)
	})
	mux.HandleFunc("GET /queues/{queue}/{namespace}/{run}", func(w http.ResponseWriter, r *http.Request) {
		view, found := s.runView(r.PathValue("queue"), r.PathValue("namespace"), r.PathValue("run"))
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
	_ = json.NewEncoder(w).Encode(view) // the client may be gone
}

func (s *Service) views() (views []queueview.Queue) {
	s.replica.look(func(e *admission.Engine) {
		for _, name := range e.Queues() {
			views = append(views, glance(e, name))
		}
	})
	return views
}

// glance is a queue without its runs.
func glance(e *admission.Engine, name string) queueview.Queue {
	status, _ := e.Status(name)
	view := queueview.Queue{Name: name, Suspended: status.Suspended, Running: status.Running, Pending: status.Waiting, Delayed: status.Delayed}
	if !status.Oldest.IsZero() {
		view.Oldest = &status.Oldest
	}
	return view
}

func (s *Service) view(name string) (view queueview.Queue, found bool) {
	s.replica.look(func(e *admission.Engine) {
		if found = slices.Contains(e.Queues(), name); found {
			view = withNext(e, name)
		}
	})
	return view, found
}

// withNext is a queue with the runs that are next.
func withNext(e *admission.Engine, name string) queueview.Queue {
	view := glance(e, name)
	for i, key := range e.Order(name) {
		if i == mostShown {
			break
		}
		run, _ := e.Waiting(key.UID)
		view.Next = append(view.Next, show(e, run, i+1))
	}
	return view
}

func show(e *admission.Engine, run admission.Run, position int) queueview.Run {
	why, known := e.Why(run.UID)
	pending := why.Pending(run, known)
	return queueview.Run{Namespace: run.Namespace, Name: run.Name, Position: position, Reason: pending.Reason, Message: pending.Message}
}

// runView shows a waiting run. A run whose time has not come, or whose queue does not exist, has no position.
func (s *Service) runView(queue, namespace, name string) (view queueview.Run, found bool) {
	s.replica.look(func(e *admission.Engine) {
		var run admission.Run
		if run, found = e.Find(queue, namespace, name); found {
			view = show(e, run, 1+slices.Index(e.Order(queue), run.Key))
		}
	})
	return view, found
}

// StatusOf is the status of the TestQueue of that name.
func (s *Service) StatusOf(name string) (status v1alpha1.TestQueueStatus) {
	s.replica.look(func(e *admission.Engine) {
		seen, _ := e.Status(name)
		status.Running, status.Pending = ptr.To(int32(seen.Running)), ptr.To(int32(seen.Waiting))
		if !seen.Oldest.IsZero() {
			status.OldestPending = ptr.To(metav1.NewTime(seen.Oldest).Rfc3339Copy())
		}
	})
	return status
}
