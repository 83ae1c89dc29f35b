package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/testrun-dev/testrun/internal/queueview"
)

// Operator asks the operator about its queues: the pod that leads, or all if that cannot be known, of which the others know of no run.
type Operator struct{ calls []*caller }

// lease is the Lease of the operator that leads: the others hold no runs.
const lease = "manager.testrun.dev"

// OpenOperator finds the operator that leads. What leads there stays until the program ends.
func OpenOperator(ctx context.Context, cluster *Cluster) (*Operator, error) {
	token, err := Token(cluster.Config)
	if err != nil {
		return nil, err
	}
	places, err := cluster.find(ctx, manager)
	if err != nil {
		return nil, err
	}
	if len(places) > 1 {
		leader := cluster.leader(ctx)
		if i := slices.IndexFunc(places, func(p place) bool { return p.pod == leader }); i >= 0 {
			places = places[i : i+1]
		}
	}
	operator := &Operator{}
	for _, to := range places {
		port, _, err := cluster.forward(ctx, manager, to, 0)
		if err != nil {
			return nil, err
		}
		call, err := newCaller(&url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", port)}, token, Trust{Anybody: true})
		if err != nil {
			return nil, err
		}
		operator.calls = append(operator.calls, call)
	}
	return operator, nil
}

// leader is the pod that leads; empty if that cannot be known.
func (c *Cluster) leader(ctx context.Context) string {
	leases, err := coordinationv1client.NewForConfig(c.Config)
	if err != nil {
		return ""
	}
	found, err := leases.Leases(c.Namespace).Get(ctx, lease, metav1.GetOptions{})
	if err != nil || found.Spec.HolderIdentity == nil {
		return ""
	}
	pod, _, _ := strings.Cut(*found.Spec.HolderIdentity, "_")
	return pod
}

// read reads what the first of the pods says that knows it. found is false if none does.
func (o *Operator) read(ctx context.Context, into any, path ...string) (found bool, err error) {
	for _, call := range o.calls {
		if err = call.read(ctx, into, nil, path...); err == nil {
			return true, nil
		}
		if !IsNotFound(err) {
			return false, askedFor(err)
		}
	}
	return false, nil
}

// Run is how a run waits. It is nil if none of that name waits in the queue.
func (o *Operator) Run(ctx context.Context, queue, namespace, name string) (*queueview.Run, error) {
	run := &queueview.Run{}
	if found, err := o.read(ctx, run, "queues", queue, namespace, name); !found {
		return nil, err
	}
	return run, nil
}

// Queue is a queue with the runs that are next. It is nil if no run has ever used it.
func (o *Operator) Queue(ctx context.Context, name string) (*queueview.Queue, error) {
	queue := &queueview.Queue{}
	if found, err := o.read(ctx, queue, "queues", name); !found {
		return nil, err
	}
	return queue, nil
}

// Queues are all queues, without their runs.
func (o *Operator) Queues(ctx context.Context) (queues []queueview.Queue, err error) {
	for _, call := range o.calls {
		if err = call.read(ctx, &queues, nil, "queues"); err != nil || len(queues) > 0 {
			break
		}
	}
	return queues, askedFor(err)
}

// askedFor says which right is missing.
func askedFor(err error) error {
	var answer *AnswerError
	if errors.As(err, &answer) && (answer.Status == http.StatusForbidden || answer.Status == http.StatusUnauthorized) {
		return errors.New("the operator tells it to those who may get the path /queues: the ClusterRole testrun-metrics-reader allows it")
	}
	return err
}
