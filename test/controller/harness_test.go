package controller

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers/retention"
	"github.com/testrun-dev/testrun/controllers/testrun"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/conditions"
)

const patience = 30 * time.Second

// world is one test's namespace, with the controllers that look after it.
type world struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	client    client.Client
	registry  *prometheus.Registry
	writes    writes
	// adjustRetention, if it is set, changes the controllers that delete before they start.
	adjustRetention func(*retention.Controllers)
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
	return &world{t: t, ctx: t.Context(), namespace: apiserver.Namespace(t), client: apiserver.Client}
}

// withController makes a namespace with one controller.
func withController(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.startController()
	return w
}

// startController starts a controller and returns what stops it.
func (w *world) startController() (stop func()) {
	w.t.Helper()
	w.registry = prometheus.NewRegistry()
	mgr, err := ctrl.NewManager(w.writes.counted(apiserver.Config), ctrl.Options{
		Scheme:     apiserver.Scheme,
		Cache:      ownNamespace(testrun.CacheOptions(), w.namespace),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	w.must(err)
	reconciler := &testrun.Reconciler{
		Client:          mgr.GetClient(),
		APIReader:       mgr.GetAPIReader(),
		Recorder:        mgr.GetEventRecorder("testrun-controller"),
		Clock:           clock.RealClock{},
		Metrics:         testrun.NewMetrics(w.registry),
		TestGracePeriod: 7 * time.Second,
		Runner:          testrun.Runner{Image: "testrun.dev/runner:dev", Mount: testrun.ImageVolume},
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.must(reconciler.SetupWithManager(ctx, mgr, 4))
	w.must(w.retention(mgr).SetupWithManager(ctx, mgr))
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

func ownNamespace(options cache.Options, namespace string) cache.Options {
	options.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	return options
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
	deadline := time.Now().Add(patience)
	for !ask() {
		if time.Now().After(deadline) {
			w.t.Fatalf("it did not happen within %s: %s", patience, what)
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatal(w.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// runUntil reads the run until the condition holds, and fails with its status if it never does.
func (w *world) runUntil(name string, holds func(*v1alpha1.TestRun) bool) *v1alpha1.TestRun {
	w.t.Helper()
	run := &v1alpha1.TestRun{}
	deadline := time.Now().Add(patience)
	w.eventually("run "+name+" gets there", func() bool {
		w.must(w.client.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, run))
		if time.Now().After(deadline.Add(-100 * time.Millisecond)) {
			w.t.Logf("the status is %+v", run.Status)
		}
		return holds(run)
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
	isTrue := func(conditionType string) bool {
		return conditions.Of(run, conditionType).Status == metav1.ConditionTrue
	}
	for _, phase := range v1alpha1.Phases {
		if isTrue(string(phase)) != (phase == run.Status.Phase) {
			t.Errorf("condition %s is %s in phase %s", phase, conditions.Of(run, string(phase)).Status, run.Status.Phase)
		}
	}
	over, passed := run.Status.Phase == v1alpha1.PhaseFinished, run.Status.Verdict == v1alpha1.VerdictPassed
	if isTrue(v1alpha1.ConditionSucceeded) != passed || isTrue(v1alpha1.ConditionReconciling) == over || isTrue(v1alpha1.ConditionStalled) != (over && !passed) {
		t.Errorf("the conditions contradict %s %s: %+v", run.Status.Phase, run.Status.Verdict, run.Status.Conditions)
	}
	for _, condition := range run.Status.Conditions {
		if condition.LastTransitionTime.Time.Before(run.CreationTimestamp.Time) {
			t.Errorf("condition %s changed at %s, before the run existed", condition.Type, condition.LastTransitionTime)
		}
	}
}

// writes counts the requests of a controller that change something, as "POST jobs" or "PATCH testruns/status".
type writes struct {
	mu  sync.Mutex
	all []string
}

func (c *writes) counted(base *rest.Config) *rest.Config {
	counted := rest.CopyConfig(base)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Method != http.MethodGet {
				c.mu.Lock()
				c.all = append(c.all, request.Method+" "+resourceOf(request.URL.Path))
				c.mu.Unlock()
			}
			return next.RoundTrip(request)
		})
	})
	return counted
}

// split returns the writes to objects and, apart, the number of events.
func (c *writes) split() (toObjects []string, events int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	toObjects = slices.DeleteFunc(slices.Clone(c.all), func(write string) bool { return strings.HasSuffix(write, " events") })
	return toObjects, len(c.all) - len(toObjects)
}

// resourceOf takes the resource, and the subresource, out of /apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE.
func resourceOf(path string) string {
	_, path, _ = strings.Cut(path, "/namespaces/")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) > 3:
		return parts[1] + "/" + parts[3]
	case len(parts) > 1:
		return parts[1]
	default:
		return path
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
