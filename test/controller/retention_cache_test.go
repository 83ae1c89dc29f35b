package controller

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// wrapClient has the controllers use a client of the test's, which uses theirs.
func (w *world) wrapClient(wrap func(client.Client) client.Client) {
	w.adjustManager = func(options *ctrl.Options) {
		options.NewClient = func(api *rest.Config, options client.Options) (client.Client, error) {
			theirs, err := client.New(api, options)
			return wrap(theirs), err
		}
	}
}

// pinning is a client that pins each object right before it deletes it.
type pinning struct{ client.Client }

func (c pinning) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	run := builders.TestRun(obj.GetName()).In(obj.GetNamespace()).Build()
	pin := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationPinned+`":"true"}}}`))
	if err := c.Patch(ctx, run, pin); err != nil {
		return err
	}
	return c.Client.Delete(ctx, obj, opts...)
}

func TestARunThatWasPinnedAMomentAgoIsNotDeleted(t *testing.T) {
	causes := map[string]v1alpha1.Retention{"ttl": ttlOfPassed(time.Hour), "keep": keep(0, 0)}
	for cause, of := range causes {
		t.Run(cause, func(t *testing.T) {
			w := newWorld(t)
			w.suite(of)
			w.store(ofSuite("run"), v1alpha1.VerdictPassed, 2*time.Hour)
			w.wrapClient(func(c client.Client) client.Client { return pinning{c} })
			stop := w.startController()
			w.WaitForRun("run", "pinned", func(run *v1alpha1.TestRun) bool { return run.Annotations[v1alpha1.AnnotationPinned] == "true" })
			stop() // the attempt to delete it is over
			w.adjustManager = nil
			w.startController()
			w.waitForOnly("run")
		})
	}
}

// behind is a client whose cache does not hear of changes to Tests.
type behind struct {
	client.Client
	test *v1alpha1.Test
}

func (c behind) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if test, ok := obj.(*v1alpha1.Test); ok {
		c.test.DeepCopyInto(test)
		return nil
	}
	return c.Client.Get(ctx, key, obj, opts...)
}

func TestATestThatKeepsMoreSinceAMomentAgoIsBelieved(t *testing.T) {
	causes := map[string][2]v1alpha1.Retention{
		"ttl":  {ttlOfPassed(time.Hour), ttlOfPassed(3 * time.Hour)},
		"keep": {keep(0, 0), keep(1, 0)},
	}
	for cause, of := range causes {
		t.Run(cause, func(t *testing.T) {
			w := newWorld(t)
			w.suite(of[0])
			stale := w.retain(of[1])
			w.store(ofSuite("run"), v1alpha1.VerdictPassed, 2*time.Hour)
			w.wrapClient(func(c client.Client) client.Client { return behind{c, stale} })
			w.startController()
			w.waitForOnly("run")
		})
	}
}

// counting is a client that counts how often the finished runs of a Test are listed.
type counting struct {
	client.Client
	lists *atomic.Int64
}

func (c counting) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	for _, option := range opts {
		if fields, ok := option.(client.MatchingFields); ok && fields["finishedOfTest"] != "" {
			c.lists.Add(1)
		}
	}
	return c.Client.List(ctx, list, opts...)
}

func TestTheRunsOfATestThatKeepsThemAllAreNeverListed(t *testing.T) {
	w := newWorld(t)
	w.suite(v1alpha1.Retention{})
	w.store(ofSuite("older"), v1alpha1.VerdictPassed, 2*time.Hour)
	w.store(ofSuite("younger"), v1alpha1.VerdictPassed, time.Hour)
	var lists atomic.Int64
	w.wrapClient(func(c client.Client) client.Client { return counting{c, &lists} })
	w.startController()
	w.Create(ofSuite("new").Cancelled().Build())
	w.changeSuite(func(test *v1alpha1.TestSpec) { test.Description = "another" })
	w.annotate("older", "true")
	w.Must(w.Client.Delete(w.Ctx, builders.TestRun("younger").In(w.Namespace).Build()))
	w.waitForOnly("new", "older")
	if n := lists.Load(); n != 0 {
		t.Errorf("runs were listed %d times", n)
	}
}
