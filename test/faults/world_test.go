package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/history"
	"github.com/testrun-dev/testrun/test/kit"
)

// patience is for how long nothing at all may happen. The machine may be busy, and the garbage collector slow.
const patience = 90 * time.Second

// world is a namespace with a node, users, and controllers that come and go.
type world struct {
	namespace string
	history   *history.History
	// patience is for how long nothing at all may happen.
	patience time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	// errands are what has been set off and is not over: users, replacements, late writes.
	errands sync.WaitGroup
	// underway is held, for reading, by each write that a fault delays.
	underway sync.RWMutex
	// retiring ends when errands need not wait any longer.
	retiring context.Context
	hurry    context.CancelFunc

	mu          sync.Mutex
	runs        map[string]*scenario
	controllers []*controller
	// over says that no more controllers are wanted.
	over bool
	errs []error
	// revisions are those of the events that the controllers were sent.
	revisions []string
	// misfortune says what strikes the controller of that number, counted from 1. w.mu is held.
	misfortune func(number int) []*strike
	number     int
}

func newWorld(t *testing.T, misfortune func(number int) []*strike) *world {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "faults-"}}
	if err := apiserver.Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	recorded, err := record(namespace.Name)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{namespace: namespace.Name, history: recorded, patience: patience, misfortune: misfortune, runs: map[string]*scenario{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.retiring, w.hurry = context.WithCancel(w.ctx)
	node := &kubelet{history: recorded, plan: func(run string) []execution { return w.scenarioOf(run).attempts }}
	nodeStopped := make(chan struct{})
	go func() {
		defer close(nodeStopped)
		node.work(w.ctx)
	}()
	t.Cleanup(func() {
		w.retire()
		w.cancel()
		<-nodeStopped
		recorded.End()
	})
	return w
}

func (w *world) scenarioOf(run string) *scenario {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs[run]
}

// failed notes what went wrong in the test itself.
func (w *world) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !errors.Is(err, context.Canceled) {
		w.errs = append(w.errs, err)
	}
}

func (w *world) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}

// begin creates the run of that name and sets off its user.
func (w *world) begin(name string, s *scenario) error {
	w.mu.Lock()
	w.runs[name] = s
	w.mu.Unlock()
	for _, object := range s.objects(name) {
		object.SetNamespace(w.namespace)
		if err := apiserver.Client.Create(w.ctx, object); err != nil {
			return err
		}
	}
	w.after(0, func() { w.failed(user{w, name}.take(s.user)) })
	return nil
}

// join starts a controller beside those that there are, and returns it when its cache is filled; nil if the world is over.
func (w *world) join(since string) *controller {
	w.mu.Lock()
	w.number++
	over, strikes := w.over, w.misfortune(w.number)
	w.mu.Unlock()
	if over {
		return nil
	}
	c, err := startController(w, since, strikes...)
	if err != nil {
		w.failed(fmt.Errorf("starting a controller: %w", err))
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		c.die()
	}
	w.controllers = append(w.controllers, c)
	return c
}

// replace kills the controller, and has another one started in its place unless it is there already.
func (w *world) replace(c *controller, since string) {
	c.die()
	if !c.leaving.Load() {
		w.after(0, func() { w.join(since) })
	}
}

// after runs an errand after a while.
func (w *world) after(d time.Duration, errand func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.errands.Go(func() {
			kit.Pause(w.retiring, d)
			errand()
		})
	}
}

// retire kills all controllers, and waits until they are gone and all errands are done.
func (w *world) retire() {
	w.mu.Lock()
	w.over = true
	controllers := w.controllers
	w.controllers = nil
	w.mu.Unlock()
	w.hurry()
	for _, c := range controllers {
		c.die()
	}
	for _, c := range controllers {
		<-c.done
	}
	w.errands.Wait()
}

// fresh starts a controller after all others have gone.
func (w *world) fresh() (*controller, error) {
	c, err := startController(w, "")
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.controllers = append(w.controllers, c)
	}
	return c, err
}

// noteRevision notes the revision of an event that a controller was sent.
func (w *world) noteRevision(revision string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revisions = append(w.revisions, revision)
}

// past is the revision of an earlier event: half way from the beginning to now for 2, a third of the way for 3.
func (w *world) past(parts int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revisions[len(w.revisions)/parts]
}

// settled waits until the run has ended and everything of it stands still.
func (w *world) settled(name string) error {
	return w.until("run "+name+" ends", func() bool {
		run, exists := w.runNamed(name)
		if run == nil {
			return false
		}
		if !exists {
			return true
		}
		if run.Status.Phase != v1alpha1.PhaseFinished || w.scenarioOf(name).disappears {
			return false
		}
		for _, pod := range living[*corev1.Pod](w.history, name) {
			if !hasEnded(pod) {
				return false
			}
		}
		for _, job := range living[*batchv1.Job](w.history, name) {
			if !standsStill(job) {
				return false
			}
		}
		return true
	})
}

// standsStill says whether the Job has ended or is suspended, and its controller has noticed.
func standsStill(job *batchv1.Job) bool {
	for _, condition := range job.Status.Conditions {
		isEnd := condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed || condition.Type == batchv1.JobSuspended
		if isEnd && condition.Status == corev1.ConditionTrue {
			return job.Status.Active == 0
		}
	}
	return false
}

// remove deletes the run, unless it is gone.
func (w *world) remove(name string) error {
	run := &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	return client.IgnoreNotFound(apiserver.Client.Delete(w.ctx, run, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}

// gone waits until all that the run had is gone.
func (w *world) gone(name string) error {
	return w.until("all of run "+name+" is gone", func() bool {
		_, exists := w.runNamed(name)
		return !exists && len(living[*batchv1.Job](w.history, name)) == 0 && len(living[*corev1.Pod](w.history, name)) == 0
	})
}
