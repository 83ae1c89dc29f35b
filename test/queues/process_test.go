package queues

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/operator"
)

// How one leader follows another here: as in controllers/manager.go, but faster. A leader has to renew its Lease within renewDeadline also on a busy
// machine.
const (
	leaseDuration = 10 * time.Second
	renewDeadline = 8 * time.Second
	retryPeriod   = 500 * time.Millisecond
)

// process is an operator as a process of its own, as far as the API server can tell.
type process struct {
	*operator.Operator
	late lateness

	dead, unreachable, cannotRenew atomic.Bool
	stop                           context.CancelFunc
	// ended is closed when the process has.
	ended chan struct{}
}

var (
	errKilled = errors.New("this process is dead")
	errCutOff = errors.New("the API server does not answer")
)

// start starts an operator, which works once it leads.
func start() (*process, error) {
	ctx, stop := context.WithCancel(logr.NewContext(context.Background(), logr.Discard()))
	p := &process{stop: stop, ended: make(chan struct{})}
	var err error
	p.Operator, err = operator.New(ctx, apiserver.Through(apiserver.Config, p.roundTrip), "", operator.Changes{
		Manager: func(options *ctrl.Options) {
			options.Cache = operator.Misled(options.Cache, p.late.since, p.late.delay)
			options.LeaderElection = true
			options.LeaderElectionNamespace = "default"
			options.LeaseDuration = ptr.To(leaseDuration)
			options.RenewDeadline = ptr.To(renewDeadline)
			options.RetryPeriod = ptr.To(retryPeriod)
		},
	})
	if err != nil {
		stop()
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.Start(ctx) // what it says when it is struck is of no interest
		p.dead.Store(true)
	}()
	return p, nil
}

func (p *process) leads() bool {
	select {
	case <-p.Elected():
		return !p.dead.Load()
	default:
		return false
	}
}

// kill stops the process as SIGKILL does: nothing that it does reaches anybody any more.
func (p *process) kill() {
	p.dead.Store(true)
	p.stop()
}

// strikes are what befalls an operator that leads.
var strikes = []func(*process){
	func(p *process) { p.stop() },
	(*process).kill,
	func(p *process) { p.unreachable.Store(true) },
	func(p *process) { p.cannotRenew.Store(true) },
}

func (p *process) roundTrip(request *http.Request, next http.RoundTripper) (*http.Response, error) {
	resource := apiserver.ResourceOf(request.URL.Path)
	switch {
	case p.dead.Load():
		return nil, errKilled
	case p.unreachable.Load(), p.cannotRenew.Load() && resource == "leases":
		<-request.Context().Done()
		return nil, errCutOff
	}
	response, err := next.RoundTrip(request)
	if err == nil && p.dead.Load() {
		_ = response.Body.Close()
		return nil, errKilled
	}
	return response, err
}
