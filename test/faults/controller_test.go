package faults

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/operator"
)

// controller is one process of the operator, as far as the world can tell: its requests and the events for its cache pass
// through here, and once it is dead it can do nothing any more.
type controller struct {
	world      *world
	strikes    []*strike
	gate       gate
	reconciler reconcile.Reconciler

	// leaving says that its successor is there already.
	leaving, dead atomic.Bool
	cancel        context.CancelFunc
	// filled is closed when the cache is filled, done when the manager has returned.
	filled, done chan struct{}

	reads atomic.Int32
	mu    sync.Mutex
	// written are the writes, as METHOD PATH.
	written []string
}

// quiet keeps client-go from reporting each watch that is cut off.
var quiet = logr.NewContext(context.Background(), logr.Discard())

var errKilled = errors.New("this controller is dead")

// startController starts a controller with an empty memory and returns it when its cache is filled. since is the revision of
// the past that its cache begins with; empty for the present.
func startController(w *world, since string, strikes ...*strike) (*controller, error) {
	ctx, cancel := context.WithCancel(quiet)
	c := &controller{world: w, strikes: strikes, cancel: cancel, filled: make(chan struct{}), done: make(chan struct{})}
	c.gate.since, c.gate.arrived = since, c.eventArrives
	if since != "" {
		c.gate.close(staleness, 0, "", false)
	}
	mgr, err := operator.New(ctx, apiserver.Through(apiserver.Config, c.roundTrip), w.namespace, operator.Changes{Manager: func(options *ctrl.Options) {
		options.MapperProvider = sharedMapper
		options.Cache = operator.Misled(options.Cache, c.gate.past, c.gate.pass)
	}})
	if err != nil {
		cancel()
		return nil, err
	}
	c.reconciler = reconcile.AsReconciler(mgr.GetClient(), mgr.Runs)
	go func() {
		defer close(c.done)
		_ = mgr.Start(ctx) // what it says when it is killed is of no interest
	}()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.New("the cache was not filled")
	}
	close(c.filled)
	return c, nil
}

// sharedMapper spares each controller the discovery of the API.
var sharedMapper = func() func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	var (
		once   sync.Once
		mapper meta.RESTMapper
		err    error
	)
	return func(_ *rest.Config, _ *http.Client) (meta.RESTMapper, error) {
		once.Do(func() {
			var transport *http.Client
			if transport, err = rest.HTTPClientFor(apiserver.Config); err == nil {
				mapper, err = apiutil.NewDynamicRESTMapper(apiserver.Config, transport)
			}
		})
		return mapper, err
	}
}()

// die stops the controller as a SIGKILL does: from now on nothing that it does reaches anybody.
//
// Its cache is filled first: a manager of controller-runtime that is stopped before never returns.
func (c *controller) die() {
	c.dead.Store(true)
	go func() {
		<-c.filled
		c.cancel()
	}()
}

// fills says whether the request is one that fills the cache.
func (c *controller) fills(request *http.Request) bool {
	select {
	case <-c.filled:
		return false
	default:
		return request.Method == http.MethodGet
	}
}

// reconcile reconciles the run once, beside what the controller does by itself.
func (c *controller) reconcile(ctx context.Context, run string) error {
	key := client.ObjectKey{Namespace: c.world.namespace, Name: run}
	_, err := c.reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: key})
	return err
}

func (c *controller) roundTrip(request *http.Request, next http.RoundTripper) (*http.Response, error) {
	if c.dead.Load() {
		if c.fills(request) {
			return next.RoundTrip(request)
		}
		return nil, errKilled
	}
	send := func(request *http.Request) (*http.Response, error) {
		if refused, err := c.world.refuses(request); refused || err != nil {
			return answer(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)(c, request, nil)
		}
		return next.RoundTrip(request)
	}
	struck := (*strike)(nil)
	switch at := placeOf(request); at {
	case atRead:
		struck = c.struck(at, int(c.reads.Add(1)))
	case atWrite:
		struck = c.struck(at, c.noteWrite(request))
	default: // nothing strikes it
	}
	if struck != nil {
		return struck.fault.request(c, request, send)
	}
	response, err := send(request)
	if err == nil && c.dead.Load() && !c.fills(request) {
		_ = response.Body.Close()
		return nil, errKilled
	}
	return response, err
}

// refuses says whether the request is a status that the API server takes of no run of this scenario.
func (w *world) refuses(request *http.Request) (bool, error) {
	run, isStatus := strings.CutSuffix(request.URL.Path, "/status")
	if request.Method != http.MethodPatch || !isStatus {
		return false, nil
	}
	scenario := w.scenarioOf(path.Base(run))
	if scenario == nil || scenario.refused == "" {
		return false, nil
	}
	content, err := io.ReadAll(request.Body)
	request.Body = io.NopCloser(bytes.NewReader(content))
	return bytes.Contains(content, []byte(scenario.refused)), err
}

// noteWrite returns the number of the write.
func (c *controller) noteWrite(request *http.Request) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = append(c.written, request.Method+" "+request.URL.Path)
	return len(c.written)
}

func (c *controller) writes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.written)
}

// placeOf says what is counted: reads that pass by the cache, and writes. Events are best effort, and written in the
// background.
func placeOf(request *http.Request) place {
	query := request.URL.Query()
	switch {
	case request.Method != http.MethodGet && apiserver.ResourceOf(request.URL.Path) != "events":
		return atWrite
	case request.Method == http.MethodGet && !query.Has("watch") && !query.Has("resourceVersion"):
		return atRead
	default:
		return ""
	}
}

func (c *controller) eventArrives(number int, kind, revision string) {
	c.world.noteRevision(revision)
	if struck := c.struck(atEvent, number); struck != nil && !c.dead.Load() {
		struck.fault.event(c, kind)
	}
}

// struck returns the fault that strikes there, or nil.
func (c *controller) struck(at place, number int) *strike {
	for _, strike := range c.strikes {
		if strike.fault.at == at && strike.number == number && strike.happened.CompareAndSwap(false, true) {
			return strike
		}
	}
	return nil
}
