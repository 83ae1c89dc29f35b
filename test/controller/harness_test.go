package controller

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/internal/queueing"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/operator"
)

// world is one test's namespace, with the controllers that look after it.
type world struct {
	*kit.World
	registry *prometheus.Registry
	requests requests
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
	return &world{World: kit.New(t), api: apiserver.Config}
}

// withController makes a namespace with one controller, which is at work.
func withController(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.startController()
	w.WaitFor("the controller is at work", w.queues.IsOpen)
	return w
}

// startController starts a controller and returns what stops it.
func (w *world) startController() (stop func()) {
	w.T.Helper()
	w.registry = prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	mgr, err := operator.New(ctx, w.requests.counted(w.api), w.Namespace, operator.Changes{
		Manager: w.adjustManager,
		Controllers: func(options *controllers.Options) {
			options.Metrics = w.registry
			if w.adjust != nil {
				w.adjust(options)
			}
		},
	})
	w.Must(err)
	w.queues = mgr.Queues
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.T.Errorf("the manager: %v", err)
		}
	})
	w.T.Cleanup(stop)
	return stop
}

// metric reads what the controller publishes: a counter, a gauge, or the number of observations of a histogram. label is the
// value of the metric's only label, empty if it has none.
func (w *world) metric(name, label string) float64 {
	w.T.Helper()
	families, err := w.registry.Gather()
	w.Must(err)
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

// waitForMetricOne waits until a metric is 1.
func (w *world) waitForMetricOne(name, label string) {
	w.T.Helper()
	w.WaitFor(name+" "+label+" is 1", func() bool { return w.metric(name, label) == 1 })
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

// lines are those of an operator's log.
type lines struct {
	mu  sync.Mutex
	all []string
}

// keepLog keeps the log of the operators that start from now on.
func (w *world) keepLog() *lines {
	kept := &lines{}
	w.adjustManager = func(options *ctrl.Options) {
		options.Logger = funcr.New(func(_, line string) {
			kept.mu.Lock()
			defer kept.mu.Unlock()
			kept.all = append(kept.all, line)
		}, funcr.Options{})
	}
	return kept
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
