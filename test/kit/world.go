// Package kit is what tests share that act on a namespace as a user does, and look at what becomes of it. What waits is called WaitFor…, what
// checks is called Expect….
package kit

import (
	"context"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// World is the namespace of one test.
type World struct {
	T         *testing.T
	Ctx       context.Context
	Namespace string
	Client    client.WithWatch

	// Patience is how long a test waits for anything, once nothing happens in the namespace any more: a busy machine is slow, and not stuck.
	Patience time.Duration
	// Interval is the time from one look to the next.
	Interval time.Duration
}

// New makes a namespace for the test at the API server that runs beside the tests.
func New(t *testing.T) *World {
	t.Helper()
	return &World{
		T: t, Ctx: t.Context(), Namespace: apiserver.Namespace(t), Client: apiserver.Client,
		Patience: 30 * time.Second, Interval: 50 * time.Millisecond,
	}
}

// Must ends the test if there is an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Key names an object of the namespace.
func (w *World) Key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: w.Namespace, Name: name}
}

// Create creates the object in the namespace.
func (w *World) Create(obj client.Object) {
	w.T.Helper()
	obj.SetNamespace(w.Namespace)
	w.Must(w.Client.Create(w.Ctx, obj))
}

// WaitFor asks until the answer is yes.
func (w *World) WaitFor(what string, ask func() bool) {
	w.T.Helper()
	w.WaitForWithin(w.Patience, what, ask)
}

// WaitForWithin asks until the answer is yes, or nothing has happened for so long.
func (w *World) WaitForWithin(limit time.Duration, what string, ask func() bool) {
	w.T.Helper()
	for seen := ""; !w.poll(limit, ask); {
		now := w.happened()
		if now == seen {
			w.T.Fatalf("it did not happen within %s: %s", limit, what)
		}
		seen = now
	}
}

// ExpectNever asks for a while, and fails if the answer is ever yes.
func (w *World) ExpectNever(what string, during time.Duration, ask func() bool) {
	w.T.Helper()
	if w.poll(during, ask) {
		w.T.Fatalf("it should not have happened: %s", what)
	}
}

// poll asks until the answer is yes, or the time is over, and says which.
func (w *World) poll(limit time.Duration, ask func() bool) bool {
	w.T.Helper()
	deadline := time.Now().Add(limit)
	for !ask() {
		if time.Now().After(deadline) {
			return false
		}
		select {
		case <-w.Ctx.Done():
			w.T.Fatal(w.Ctx.Err())
		case <-time.After(w.Interval):
		}
	}
	return true
}

// happened is another text after anything has happened to the objects of the namespace, or to the queue of that name.
func (w *World) happened() string {
	w.T.Helper()
	var versions []string
	for _, list := range []client.ObjectList{
		&v1alpha1.TestRunList{}, &v1alpha1.TestList{}, &batchv1.JobList{}, &corev1.PodList{}, &eventsv1.EventList{},
	} {
		w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace)))
		w.Must(meta.EachListItem(list, func(item runtime.Object) error {
			versions = append(versions, item.(client.Object).GetResourceVersion())
			return nil
		}))
	}
	queue := &v1alpha1.TestQueue{}
	w.Must(client.IgnoreNotFound(w.Client.Get(w.Ctx, client.ObjectKey{Name: w.Namespace}, queue)))
	return strings.Join(append(versions, queue.ResourceVersion), " ")
}
