// Package operator makes the operator for a test, in the test's process.
package operator

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

// RunnerImage is what the operators of tests call the runner's image.
const RunnerImage = "testrun.invalid/runner:dev"

// Operator is a manager with all controllers set up in it. It is to be started.
type Operator struct {
	ctrl.Manager
	*controllers.Controllers
}

// Changes are what a test has otherwise than the operator that is shipped. Nil changes nothing.
type Changes struct {
	Manager     func(*ctrl.Options)
	Controllers func(*controllers.Options)
}

// New makes the operator, for one namespace, or for all if it is empty. That of one namespace knows one TestQueue, which has the name of the
// namespace: others' operators write the status of the rest.
func New(ctx context.Context, api *rest.Config, namespace string, changes Changes) (*Operator, error) {
	mgr, err := controllers.NewManager(ctx, api, controllers.Process{MetricsAddress: "0"}, func(managed *ctrl.Options) {
		managed.Controller = config.Controller{SkipNameValidation: ptr.To(true)}
		if namespace != "" {
			managed.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
			managed.Cache.ByObject[&v1alpha1.TestQueue{}] = cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", namespace)}
		}
		if changes.Manager != nil {
			changes.Manager(managed)
		}
	})
	if err != nil {
		return nil, err
	}
	options := controllers.Options{
		Concurrency:        4,
		DeletionsPerSecond: 100,
		TestGracePeriod:    7 * time.Second,
		QueueGracePeriod:   time.Hour,
		Runner:             jobspec.Runner{Image: RunnerImage, Mount: jobspec.ImageVolume},
		Metrics:            prometheus.NewRegistry(),
	}
	if options.APIReader, err = readerOf(mgr, namespace); err != nil {
		return nil, err
	}
	if changes.Controllers != nil {
		changes.Controllers(&options)
	}
	all, err := controllers.SetupAll(ctx, mgr, options)
	return &Operator{Manager: mgr, Controllers: all}, err
}

// readerOf reads from the API server what belongs to the namespace: the others' runs are none of its business.
func readerOf(mgr ctrl.Manager, namespace string) (client.Reader, error) {
	if namespace == "" {
		return mgr.GetAPIReader(), nil
	}
	direct, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, err
	}
	return ownQueue{client.NewNamespacedClient(direct, namespace), namespace}, nil
}

// ownQueue lists no TestQueue but that of the namespace.
type ownQueue struct {
	client.Reader
	namespace string
}

func (o ownQueue) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if _, ok := list.(*v1alpha1.TestQueueList); ok {
		options = append(options, client.MatchingFields{"metadata.name": o.namespace})
	}
	return o.Reader.List(ctx, list, options...)
}
