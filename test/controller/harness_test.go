package controller

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/internal/queueing"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/operator"
)

// patience is for how long nothing at all may happen before a test gives up. On a busy machine what it waits for may take much longer.
const patience = 30 * time.Second

// world is one test's namespace, with the controllers that look after it.
type world struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	client    client.Client
	registry  *prometheus.Registry
	requests  requests
	// api is what the controller reaches the API server by.
	api    *rest.Config
	queues *queueing.Service
	// adjust and adjustManager change the operator before it is made, if they are set.
	adjust        func(*controllers.Options)
	adjustManager func(*ctrl.Options)
}

// newWorld makes a namespace without a controller.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	return newWorldAlone(t)
}

// newWorldAlone is newWorld for a test beside which no other runs.
func newWorldAlone(t *testing.T) *world {
	t.Helper()
	return &world{t: t, ctx: t.Context(), namespace: apiserver.Namespace(t), client: apiserver.Client, api: apiserver.Config}
}

// withController makes a namespace with one controller, which is at work.
func withController(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.startController()
	w.eventually("the controller is at work", w.queues.IsOpen)
	return w
}

// startController starts a controller and returns what stops it.
func (w *world) startController() (stop func()) {
	w.t.Helper()
	w.registry = prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	mgr, err := operator.New(ctx, w.requests.counted(w.api), w.namespace, operator.Changes{
		Manager: w.adjustManager,
		Controllers: func(options *controllers.Options) {
			options.Metrics = w.registry
			if w.adjust != nil {
				w.adjust(options)
			}
		},
	})
	w.must(err)
	w.queues = mgr.Queues
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the manager: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(obj client.Object) {
	w.t.Helper()
	obj.SetNamespace(w.namespace)
	w.must(w.client.Create(w.ctx, obj))
}

// eventually asks until the answer is yes.
func (w *world) eventually(what string, ask func() bool) {
	w.t.Helper()
	w.within(patience, what, ask)
}

// within is eventually for what may take so long after the last thing that happened.
func (w *world) within(limit time.Duration, what string, ask func() bool) {
	w.t.Helper()
	deadline, seen := time.Now().Add(limit), w.happened()
	for !ask() {
		if time.Now().After(deadline) {
			now := w.happened()
			if now == seen {
				w.t.Fatalf("it did not happen, nor anything else for %s: %s", limit, what)
			}
			deadline, seen = time.Now().Add(limit), now
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatal(w.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// happened is another text after anything has happened to the objects of the namespace, or to its queue.
func (w *world) happened() string {
	w.t.Helper()
	var versions []string
	for _, list := range []client.ObjectList{
		&v1alpha1.TestRunList{}, &v1alpha1.TestList{}, &batchv1.JobList{}, &corev1.PodList{}, &eventsv1.EventList{},
	} {
		w.must(w.client.List(w.ctx, list, client.InNamespace(w.namespace)))
		w.must(meta.EachListItem(list, func(item runtime.Object) error {
			versions = append(versions, item.(client.Object).GetResourceVersion())
			return nil
		}))
	}
	queue := &v1alpha1.TestQueue{}
	w.must(client.IgnoreNotFound(w.client.Get(w.ctx, client.ObjectKey{Name: w.namespace}, queue)))
	return strings.Join(append(versions, queue.ResourceVersion), " ")
}

// runUntil reads the run until the condition holds, and fails with its status if it never does.
func (w *world) runUntil(name string, holds func(*v1alpha1.TestRun) bool) *v1alpha1.TestRun {
	w.t.Helper()
	run := &v1alpha1.TestRun{}
	there := false
	defer func() {
		if !there {
			w.t.Logf("the status of run %s is %+v", name, run.Status)
		}
	}()
	w.eventually("run "+name+" gets there", func() bool {
		w.must(w.client.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, run))
		there = holds(run)
		return there
	})
	return run
}

// finished waits for the verdict and checks it, its reason, and that the status does not contradict itself.
func (w *world) finished(name string, verdict v1alpha1.Verdict, reason string) *v1alpha1.TestRun {
	w.t.Helper()
	run := w.runUntil(name, func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished })
	if run.Status.Verdict != verdict || conditions.Reason(run) != reason {
		w.t.Errorf("run %s is %s (%s: %s), want %s (%s)", name, run.Status.Verdict, conditions.Reason(run), conditions.Message(run), verdict, reason)
	}
	checkConditions(w.t, run)
	return run
}

// pendingWith waits until the run is Pending with that reason.
func (w *world) pendingWith(name, reason string) *v1alpha1.TestRun {
	w.t.Helper()
	return w.runUntil(name, func(run *v1alpha1.TestRun) bool {
		return run.Status.Phase == v1alpha1.PhasePending && conditions.Reason(run) == reason
	})
}

// inProgress waits until the run is InProgress.
func (w *world) inProgress(name string) *v1alpha1.TestRun {
	w.t.Helper()
	return w.runUntil(name, func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseInProgress })
}

func (w *world) change(name string, mutate func(*v1alpha1.TestRun)) {
	w.t.Helper()
	run := &v1alpha1.TestRun{}
	w.must(w.client.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, run))
	before := run.DeepCopy()
	mutate(run)
	w.must(w.client.Patch(w.ctx, run, client.MergeFrom(before)))
}

func (w *world) cancel(name string) {
	w.t.Helper()
	w.change(name, func(run *v1alpha1.TestRun) { run.Spec.Cancel = ptr.To(true) })
}

func (w *world) jobs() []batchv1.Job {
	w.t.Helper()
	list := &batchv1.JobList{}
	w.must(w.client.List(w.ctx, list, client.InNamespace(w.namespace)))
	return list.Items
}

func (w *world) job(run string) *batchv1.Job {
	w.t.Helper()
	job := &batchv1.Job{}
	w.eventually("the Job of "+run+" exists", func() bool {
		return w.client.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: run + "-1"}, job) == nil
	})
	return job
}

// metric reads what the controller publishes: a counter, a gauge, or the number of observations of a histogram. label is the
// value of the metric's only label, empty if it has none.
func (w *world) metric(name, label string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	w.must(err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labelled := len(metric.GetLabel()) > 0 && metric.GetLabel()[0].GetValue() == label
			if family.GetName() == name && (labelled || label == "") {
				return metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

// becomesOne waits until a metric is 1.
func (w *world) becomesOne(name, label string) {
	w.t.Helper()
	w.eventually(name+" "+label+" is 1", func() bool { return w.metric(name, label) == 1 })
}

// checkConditions holds the conditions against phase and verdict.
func checkConditions(t *testing.T, run *v1alpha1.TestRun) {
	t.Helper()
	for _, problem := range conditions.Problems(run) {
		t.Error(problem)
	}
}

// requests are those of a controller that change something, or read one object or the pods of one Job, as "POST jobs" or "GET testruns".
// What fills its cache is not among them.
type requests struct {
	mu  sync.Mutex
	all []string
}

func (c *requests) counted(base *rest.Config) *rest.Config {
	return apiserver.Through(base, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		resource := apiserver.ResourceOf(request.URL.Path)
		one := strings.Contains(request.URL.Path, "/namespaces/") && path.Base(request.URL.Path) != resource
		if request.Method != http.MethodGet || one || strings.Contains(request.URL.Query().Get("labelSelector"), batchv1.ControllerUidLabel) {
			c.mu.Lock()
			c.all = append(c.all, request.Method+" "+resource)
			c.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
}

// split returns the requests about objects and, apart, the number of events. Those about no namespace are left out: they write the
// status of the TestQueues of tests beside this one.
func (c *requests) split() (aboutObjects []string, events int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, request := range c.all {
		switch {
		case strings.HasSuffix(request, " events"):
			events++
		case !strings.HasSuffix(request, " "):
			aboutObjects = append(aboutObjects, request)
		}
	}
	return aboutObjects, events
}
