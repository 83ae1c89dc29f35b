package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// Operator asks the operator about its queues.
type Operator struct{ call *caller }

// lease is the Lease of the operator that leads: the others hold no runs.
const lease = "manager.testrun.dev"

// OpenOperator finds the operator that leads. What leads there ends with ctx.
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
		places = leaderFirst(places, cluster.leader(ctx))
	}
	port, err := cluster.forward(ctx, manager, places[0], 0)
	if err != nil {
		return nil, err
	}
	call, err := newCaller(&url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", port)}, token, Trust{Anybody: true})
	return &Operator{call}, err
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

func leaderFirst(places []place, leader string) []place {
	for i := range places {
		if places[i].pod == leader {
			places[0], places[i] = places[i], places[0]
		}
	}
	return places
}

// Run is how a run waits. It is nil if none of that name waits in the queue.
func (o *Operator) Run(ctx context.Context, queue, namespace, name string) (*show.Waiting, error) {
	run := &show.Waiting{}
	err := o.call.read(ctx, run, nil, "queues", queue, namespace, name)
	if IsNotFound(err) {
		return nil, nil
	}
	return run, askedFor(err)
}

// Queue is a queue with the runs that are next. It is nil if no run has ever used it.
func (o *Operator) Queue(ctx context.Context, name string) (*show.LiveQueue, error) {
	queue := &show.LiveQueue{}
	err := o.call.read(ctx, queue, nil, "queues", name)
	if IsNotFound(err) {
		return nil, nil
	}
	return queue, askedFor(err)
}

// Queues are all queues, without their runs.
func (o *Operator) Queues(ctx context.Context) (queues []show.LiveQueue, err error) {
	err = o.call.read(ctx, &queues, nil, "queues")
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
