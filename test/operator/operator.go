// Package operator makes the operator for a test, in the test's process.
package operator

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/testrun-dev/testrun/controllers/retention"
	"github.com/testrun-dev/testrun/controllers/testqueue"
	"github.com/testrun-dev/testrun/controllers/testrun"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/queueing"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// RunnerImage is what the operators of tests call the runner's image.
const RunnerImage = "testrun.invalid/runner:dev"

// Operator is a manager and the controllers in it.
type Operator struct {
	ctrl.Manager
	Runs      *testrun.Reconciler
	Queues    *testqueue.Reconciler
	Retention *retention.Controllers
}

// New makes the operator, for one namespace, or for all if it is empty. It is to be set up, and then started.
func New(api *rest.Config, namespace string, metrics prometheus.Registerer, change ...func(*ctrl.Options)) (*Operator, error) {
	options := ctrl.Options{
		Scheme:     apiserver.Scheme,
		Cache:      testrun.CacheOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	}
	if namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	}
	for _, change := range change {
		change(&options)
	}
	mgr, err := ctrl.NewManager(api, options)
	if err != nil {
		return nil, err
	}
	reader, err := readerOf(mgr, namespace)
	if err != nil {
		return nil, err
	}
	queues := queueing.New(clock.RealClock{}, 0)
	return &Operator{
		Manager: mgr,
		Runs: &testrun.Reconciler{
			Client:           mgr.GetClient(),
			APIReader:        reader,
			Recorder:         mgr.GetEventRecorder("testrun-controller"),
			Clock:            clock.RealClock{},
			Metrics:          testrun.NewMetrics(metrics),
			TestGracePeriod:  7 * time.Second,
			QueueGracePeriod: time.Hour,
			CreateTimeout:    4 * time.Second,
			Queues:           queues,
			Runner:           jobspec.Runner{Image: RunnerImage, Mount: jobspec.ImageVolume},
		},
		Queues: &testqueue.Reconciler{Client: mgr.GetClient(), APIReader: reader, Queues: queues},
		Retention: &retention.Controllers{
			Client:             mgr.GetClient(),
			APIReader:          reader,
			Clock:              clock.RealClock{},
			Metrics:            retention.NewMetrics(metrics),
			DeletionsPerSecond: 100,
		},
	}, nil
}

// readerOf reads from the API server what belongs to the namespace: the others' runs are none of its business.
func readerOf(mgr ctrl.Manager, namespace string) (client.Reader, error) {
	if namespace == "" {
		return mgr.GetAPIReader(), nil
	}
	direct, err := client.New(mgr.GetConfig(), client.Options{Scheme: apiserver.Scheme, Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, err
	}
	return client.NewNamespacedClient(direct, namespace), nil
}

// SetUp registers the controllers.
func (o *Operator) SetUp(ctx context.Context) error {
	return errors.Join(o.Runs.SetupWithManager(ctx, o.Manager, 4), o.Queues.SetupWithManager(o.Manager), o.Retention.SetupWithManager(ctx, o.Manager))
}
